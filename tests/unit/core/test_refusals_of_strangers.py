"""An INVITE of somebody who has proved nothing may have a forged source: it is refused once (RFC 3261 26.3.2.4)."""

import pytest

from talkburst.sip.message import Response

VICTIM = ("203.0.113.7", 5060)
INVITE = """
    INVITE {uri} SIP/2.0
    Via: SIP/2.0/UDP 203.0.113.7:5060;branch=z9hG4bKforged
    From: <{caller}>;tag=s
    To: <sip:bob@ims.example>
    Call-ID: forged
    CSeq: 1 INVITE
    {more}
"""


@pytest.mark.parametrize(
    ("status", "listener", "changed"),
    [
        (403, "servers", {}),
        (403, "clients", {"caller": "sip:mallory@elsewhere.example"}),
        (483, "clients", {"more": "Max-Forwards: 0"}),
        (420, "clients", {"more": "Proxy-Require: telepathy"}),
        (416, "clients", {"uri": "mailto:bob@ims.example"}),
        (400, "clients", {"more": "Route: <<broken"}),
        (400, "clients", {"more": "P-Preferred-Identity: <<broken"}),
    ],
)
def test_what_is_refused_to_a_stranger_is_said_once_and_nothing_is_kept(registered, status, listener, changed) -> None:
    given = {"uri": "sip:bob@ims.example", "caller": "sip:alice@ims.example", "more": "Subject: x", **changed}
    send = registered.client if listener == "clients" else registered.server
    kept = len(registered.engine.servers)
    (refusal,) = send(INVITE.format(**given), VICTIM)
    assert isinstance(refusal.message, Response)
    assert refusal.message.status == status
    assert len(registered.engine.servers) == kept
    assert registered.advance(33) == []
    (again,) = send(INVITE.format(**given), VICTIM)
    assert again.text == refusal.text
    ack = INVITE.format(**given).replace("INVITE", "ACK")
    assert send(ack.replace("To: <sip:bob@ims.example>", f"To: {refusal.header('To')}"), VICTIM) == []
    assert registered.engine.counters["stray_ack"] == 0


@pytest.mark.parametrize(
    ("listener", "source", "believed"),
    [
        ("clients", VICTIM[0], False),
        ("clients", "127.0.0.1", True),
        ("servers", VICTIM[0], False),
        ("servers", "127.0.0.2", True),
    ],
)
def test_only_who_is_known_names_another_place_for_an_answer_whose_connection_is_gone(
    make_bench, listener: str, source: str, believed: bool
) -> None:
    """RFC 3261 18.2.2 has the sent-by of the Via; a stranger would have us connect to whatever he writes there."""
    bench = make_bench(transport="TCP")
    bench.register(source=("127.0.0.1", 40000))
    flow = bench._flow(listener, (source, 40000))
    asked = INVITE.format(uri="sip:bob@ims.example", caller="sip:alice@ims.example", more="Max-Forwards: 0")
    (refusal,) = bench.receive(asked.replace("UDP 203.0.113.7:5060", "TCP 192.0.2.99:25"), listener, flow.remote)
    bench.engine.transport_failed(flow, bench.now)
    bench.refusing.add((source, 25))
    bench.engine.transmit(flow, refusal.message.to_bytes(), refusal.message)
    assert [each.to for each in bench.collect()] == [("192.0.2.99", 25)] * believed
    assert bench.engine.counters["unroutable"] == (not believed)
