"""The Route entry by which an application server brings a request back says where it was (TS 24.229 5.4.3.4)."""

import pytest
from requests_to_route import OTHER, POC, register, settings, with_profile

BOB = ("127.0.0.1", 5092)
SECOND = """
    <InitialFilterCriteria><Priority>9</Priority>
      <TriggerPoint><ConditionTypeCNF>1</ConditionTypeCNF>
        <SPT><ConditionNegated>0</ConditionNegated><Group>0</Group><Method>SUBSCRIBE</Method></SPT>
      </TriggerPoint>
      <ApplicationServer><ServerName>sip:other.ims.example</ServerName><DefaultHandling>0</DefaultHandling>
      </ApplicationServer>
    </InitialFilterCriteria></ServiceProfile>"""


def forged(aor: str, case: int = 1, position: int = 0) -> str:
    """What a stranger can work out: everything but the signature."""
    return f"odi-{case}-{position}-{aor.encode().hex()}"


def message_to_alice(route: str) -> str:
    return f"""
        MESSAGE sip:alice@ims.example SIP/2.0
        Route: {route}
        From: <sip:bob@ims.example>;tag=w
        To: <sip:alice@ims.example>
        Call-ID: forged
        CSeq: 1 MESSAGE
    """


@pytest.mark.parametrize("signature", ["", "-", "-" + "0" * 32, "-%C3%A9"])
def test_forged_way_back_rings_nobody_but_whom_the_request_is_for(bob, signature: str) -> None:
    # By a Route of its own a client has a server return a request to the core.
    way_back = f"<sip:{forged('sip:bob@ims.example')}{signature}@127.0.0.1:5054;lr>"
    (asked,) = bob.client(message_to_alice(f"<sip:127.0.0.1:5054;lr>, <sip:poc.ims.example;lr>, {way_back}"), BOB)
    assert (asked.to, asked.message.values("Route")) == (POC, ["<sip:poc.ims.example;lr>", way_back])
    (sent,) = bob.server(message_to_alice(way_back))
    assert sent.line == "MESSAGE sip:alice@127.0.0.1:5090 SIP/2.0"


@pytest.fixture
def served(make_bench):
    """Alice's SUBSCRIBE goes to two servers, one after the other."""
    return register(make_bench(with_profile(("</ServiceProfile>", SECOND))))


def way_back_in(sent) -> str:
    return sent.message.values("Route")[1]


def way_back(bench) -> str:
    (first,) = settings(bench)
    return way_back_in(first)


def returned(bench, route: str):
    """The first server brings alice's SUBSCRIBE back, in a dialog of its own."""
    (sent,) = bench.server(f"""
        SUBSCRIBE sip:alice@ims.example SIP/2.0
        Route: {route}
        P-Asserted-Identity: <sip:alice@ims.example>
        From: <sip:alice@ims.example>;tag=own
        To: <sip:alice@ims.example>
        Call-ID: own
        CSeq: 1 SUBSCRIBE
        Event: poc-settings
        Contact: <sip:127.0.0.2:5070>
    """)
    return sent


def test_server_may_bring_a_request_back_in_another_dialog(served) -> None:
    sent = returned(served, way_back(served))
    assert (sent.to, way_back_in(sent)[:13]) == (OTHER, "<sip:odi-0-3-")


def test_way_back_that_was_changed_to_leave_criteria_out_is_as_none(served) -> None:
    route = way_back(served)
    assert route.count("odi-0-2-") == 1
    sent = returned(served, route.replace("odi-0-2-", "odi-1-9-"))
    assert sent.to == OTHER, "alice's criteria, from the first one on"
    assert way_back_in(sent).startswith("<sip:odi-1-3-"), "as a request that comes to her"


def test_way_back_is_good_after_a_restart_with_the_key_that_is_stored(served) -> None:
    served.tables["keys"] = {"nonce": {"key": "5a" * 32}}
    before, _ = served.restarted()
    route = way_back(before)
    assert before.tables["keys"] == {"nonce": {"key": "5a" * 32}}
    after, _ = before.restarted()
    sent = returned(after, route)
    assert (sent.to, way_back_in(sent)[:13]) == (OTHER, "<sip:odi-0-3-")
    assert way_back_in(returned(served, route)).startswith("<sip:odi-1-3-"), "under another key it is nobody's"
