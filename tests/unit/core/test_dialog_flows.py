"""Who began a dialog on a connection is reached on it, whoever they are (RFC 5626 5.3)."""

import pytest
from caller import ALICE, BOB, Caller

from talkburst_core.dialog_flows import DialogFlows

ROUTE = "<sip:127.0.0.1:5060;transport=tcp;lr>"
ELSEWHERE = ("127.0.0.1", 5099)


@pytest.fixture
def stream(make_bench):
    """Alice and bob have registered over TCP, and nobody listens where a Contact says."""
    bench = make_bench(transport="TCP")
    bench.refusing = {ALICE, BOB, ELSEWHERE, ("192.0.2.50", 5060)}
    for user, place in (("alice", ALICE), ("bob", BOB)):
        bench.register(user, f"<sip:{user}@{place[0]}:{place[1]};transport=tcp>", source=place)
    return bench


def bye(bench, caller: str, contact: str, tag: str = "a", call_id: str = "call"):
    """Bob hangs up."""
    return bench.client(
        f"""
        BYE {contact} SIP/2.0
        Route: {ROUTE}
        From: <sip:bob@ims.example>;tag=b
        To: <{caller}>;tag={tag}
        Call-ID: {call_id}
        CSeq: 1 BYE
        """,
        BOB,
    )


# What From, To and Contact of the dialog say; the connection is alice's.
CALLERS = {
    "herself": ("sip:alice@ims.example", "sip:alice@127.0.0.1:5090;transport=tcp"),
    "anonymous": ("sip:anonymous@anonymous.invalid", "sip:anonymous@127.0.0.1:5090;transport=tcp"),
    "behind an address of its own network": ("sip:alice@ims.example", "sip:alice@192.0.2.50;transport=tcp"),
    "a name that leads nowhere": ("sip:alice@ims.example", "sip:alice@df7jal23ls0d.invalid;transport=tcp"),
}


@pytest.mark.parametrize(("caller", "contact"), CALLERS.values(), ids=CALLERS)
def test_bye_reaches_the_caller_on_the_connection_of_the_call(stream, caller: str, contact: str) -> None:
    invite = Caller(stream).text("INVITE", "sip:bob@ims.example", 1)
    (sent,) = stream.client(
        invite.replace("<sip:alice@ims.example>", f"<{caller}>").replace("sip:alice@127.0.0.1:5090", contact)
    )
    stream.answer(sent, "200 OK", to_tag="b")
    (hung_up,) = bye(stream, caller, contact)
    assert hung_up.flow == stream._flow("clients", ALICE)
    assert hung_up.line == f"BYE {contact} SIP/2.0"


def test_caller_who_has_not_registered_is_reached_too(stream) -> None:
    """Digest on the INVITE is all that is known of them."""
    call = Caller(stream)
    (challenge,) = stream.client(call.text("INVITE", "sip:bob@ims.example", 1), ELSEWHERE)
    assert challenge.line.startswith("SIP/2.0 407 ")
    credentials = stream.credentials(
        challenge, "alice@ims.example", "alice", "INVITE", "sip:bob@ims.example", "Proxy-Authenticate"
    )
    invite = call.text("INVITE", "sip:bob@ims.example", 2, headers=f"Proxy-Authorization: {credentials}")
    (sent,) = stream.client(invite, ELSEWHERE)
    stream.answer(sent, "200 OK", to_tag="b")
    (hung_up,) = bye(stream, "sip:alice@ims.example", "sip:alice@127.0.0.1:5099;transport=tcp")
    assert hung_up.flow == stream._flow("clients", ELSEWHERE)


def test_nobody_takes_a_dialog_over_that_another_connection_began(stream) -> None:
    Caller(stream).invite()
    stream.client(
        Caller(stream).text("INVITE", "sip:alice@ims.example", 2).replace("alice@ims.example>;", "bob@ims.example>;"),
        BOB,
    )
    (hung_up,) = bye(stream, "sip:anonymous@anonymous.invalid", "sip:x@192.0.2.50;transport=tcp")
    assert hung_up.flow == stream._flow("clients", ALICE)


@pytest.mark.parametrize(("tag", "call_id"), [("other", "call"), ("a", "other")])
def test_another_dialog_goes_another_way(stream, tag: str, call_id: str) -> None:
    Caller(stream).invite()
    (answer,) = bye(stream, "sip:anonymous@anonymous.invalid", "sip:x@192.0.2.50;transport=tcp", tag, call_id)
    assert answer.line == "SIP/2.0 430 Flow Failed"


def test_connection_that_is_closed_leads_nowhere(stream) -> None:
    Caller(stream).invite()
    stream.fail(stream._flow("clients", ALICE))
    assert bye(stream, "sip:alice@ims.example", "sip:alice@127.0.0.1:5090;transport=tcp")[-1].message.status == 430


def test_client_that_came_back_is_reached_on_its_new_connection(stream) -> None:
    Caller(stream).invite()
    stream.fail(stream._flow("clients", ALICE))
    contact = "sip:alice@127.0.0.1:5090;transport=tcp"
    stream.register("alice", f"<{contact}>", source=("127.0.0.1", 40_123), call_id="again")
    (hung_up,) = bye(stream, "sip:alice@ims.example", contact)
    assert hung_up.flow == stream._flow("clients", ("127.0.0.1", 40_123))


def begin(bench, flows: DialogFlows, flow, number: int) -> None:
    (sent,) = Caller(bench, call_id=f"call-{number}").invite()
    flows.remember(sent.message, flow)


def test_one_connection_holds_so_many_dialogs_and_closed_ones_none(stream) -> None:
    flows = DialogFlows(stream.engine, most=3)
    flow = stream._flow("clients", ALICE)
    for number in range(5):
        begin(stream, flows, flow, number)
    assert len(flows) == 3
    listener = stream.engine.listener("clients", "TCP")
    others = [stream.engine.accepted(listener, ("127.0.0.1", port)) for port in range(20_000, 22_100)]
    for number, other in enumerate(others, 10):
        request = stream.sent[-1].message.copy()
        request.set("Call-ID", f"other-{number}")
        flows.remember(request, other)
        stream.engine.transport_failed(other, stream.now)
    assert len(flows) < 1100
