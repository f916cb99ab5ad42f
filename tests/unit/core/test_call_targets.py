"""Where a call goes: to each client of a user, over which way, or elsewhere (RFC 3261 16.5, RFC 3327, RFC 5626 7)."""

import pytest
from caller import ALICE, BOB, RECORDED, Caller, lines

from talkburst.sip.engine import Failure
from talkburst.sip.flow import Listener
from talkburst.sip.message import Request

DESK = ("127.0.0.1", 5093)


# More than one client


@pytest.fixture
def desk(bob):
    """Bob has another client, on his desk."""
    bob.register("bob", "<sip:bob@127.0.0.1:5093>", source=DESK, call_id="desk")
    return bob


def test_all_clients_ring_and_the_one_that_answers_gets_the_call(desk) -> None:
    call = Caller(desk)
    mobile, fixed = call.invite()
    assert {mobile.to, fixed.to} == {BOB, DESK}
    assert [each.header("Max-Breadth") for each in (mobile, fixed)] == ["30", "30"]
    desk.answer(mobile, "180 Ringing", to_tag="m")
    desk.answer(fixed, "180 Ringing", to_tag="f")
    assert lines(desk.answer(fixed, "200 OK", to_tag="f")) == [
        "5090 200 OK",
        "5092 CANCEL sip:bob@127.0.0.1:5092 SIP/2.0",
    ]
    assert lines(desk.answer(mobile, "487 Request Terminated")) == ["5092 ACK sip:bob@127.0.0.1:5092 SIP/2.0"]


def test_ack_that_names_the_user_alone_reaches_whoever_answered(desk) -> None:
    """What a caller sends that takes no notice of Contact and Record-Route."""
    _, fixed = Caller(desk).invite()
    desk.answer(fixed, "200 OK", to_tag="b")
    acks = Caller(desk).within("ACK", 1, "sip:bob@ims.example", "")
    assert fixed.to in [each.to for each in acks]
    assert {each.line.split()[0] for each in acks} == {"ACK"}


def test_caller_gives_up_and_no_client_rings_any_more(desk) -> None:
    call = Caller(desk)
    both = call.invite()
    for each in both:
        desk.answer(each, "180 Ringing")
    assert [line.split()[1] for line in lines(call.cancel())] == ["200", "CANCEL", "CANCEL"]
    desk.answer(both[0], "487 Request Terminated")
    assert lines(desk.answer(both[1], "487 Request Terminated"))[-1] == "5090 487 Request Terminated"


def test_call_that_may_not_spread_so_far_is_440(desk) -> None:
    (answer,) = Caller(desk).invite("Max-Breadth: 1")
    assert answer.line == "SIP/2.0 440 Max-Breadth Exceeded"


@pytest.mark.parametrize(("header", "status"), [("Proxy-Require: sec-agree", 420), ("Max-Forwards: 0", 483)])
def test_call_that_the_core_may_not_carry(bob, header: str, status: int) -> None:
    (answer,) = Caller(bob).invite(header)
    assert (answer.message.status, answer.header("Unsupported")) == (status, "sec-agree" if status == 420 else None)


def test_what_the_callee_has_to_understand_is_no_matter_of_the_core(bob) -> None:
    (invite,) = Caller(bob).invite("Require: 100rel, frobnication")
    assert invite.header("Require") == "100rel, frobnication"


FLOW = '<sip:bob@127.0.0.1:{}>;+sip.instance="<urn:uuid:00000000-0000-1000-8000-000A95A0E128>";reg-id={}'


def flows_of_one_device(bench) -> None:
    """One client that registered twice, to have a second way (RFC 5626 4.2)."""
    for number, place in enumerate((BOB, DESK), 1):
        headers = "Supported: path, outbound"
        contact = FLOW.format(place[1], number)
        bench.register("bob", contact, source=place, call_id=f"flow-{number}", headers=headers)
        bench.advance(1)


@pytest.mark.parametrize("failure", ["430 Flow Failed", Failure.TRANSPORT])
def test_device_with_two_flows_rings_once_and_over_the_other_one_if_the_first_fails(registered, failure) -> None:
    """RFC 5626 7."""
    flows_of_one_device(registered)
    (first,) = Caller(registered).invite()
    assert first.to == DESK
    sent = registered.fail(first.flow) if failure is Failure.TRANSPORT else registered.answer(first, failure)
    (second,) = [each for each in sent if each.line.startswith("INVITE")]
    assert (second.line, second.to) == ("INVITE sip:bob@127.0.0.1:5092 SIP/2.0", BOB)
    assert second.message.via.branch != first.message.via.branch
    assert lines(registered.answer(second, "200 OK")) == ["5090 200 OK"]


@pytest.mark.parametrize("answer", ["486 Busy Here", "200 OK", "603 Decline"])
def test_device_that_has_answered_is_asked_no_second_time(registered, answer: str) -> None:
    flows_of_one_device(registered)
    (first,) = Caller(registered).invite()
    assert not [line for line in lines(registered.answer(first, answer)) if "INVITE" in line]


def test_second_flow_of_a_call_that_was_given_up_stays_unused(registered) -> None:
    flows_of_one_device(registered)
    call = Caller(registered)
    (first,) = call.invite()
    call.cancel()
    assert lines(registered.answer(first, "430 Flow Failed"))[-1] == "5090 430 Flow Failed"


# Elsewhere


def test_maddr_is_the_only_target(bob) -> None:
    """RFC 3261 16.5: whoever the rest of the Request-URI names."""
    (invite,) = Caller(bob, "sip:bob@ims.example;maddr=198.51.100.9").invite()
    assert (invite.to, invite.listener) == (("198.51.100.9", 5060), "servers")
    assert invite.line == "INVITE sip:bob@ims.example;maddr=198.51.100.9 SIP/2.0"


def test_maddr_that_led_here_is_as_good_as_none(bob) -> None:
    (invite,) = Caller(bob, "sip:bob@ims.example;maddr=127.0.0.1").invite()
    assert invite.to == BOB


def test_service_route_of_a_strict_router_is_an_originating_call_all_the_same(bob) -> None:
    text = Caller(bob).text("INVITE", "sip:orig@127.0.0.1:5060;lr", 1, route="<sip:bob@ims.example>")
    (invite,) = bob.client(text)
    assert (invite.line, invite.to) == ("INVITE sip:bob@127.0.0.1:5092 SIP/2.0", BOB)


def test_route_that_goes_on_to_others_is_followed(bob) -> None:
    (invite,) = Caller(bob).invite(f"Route: {RECORDED}, <sip:198.51.100.9;lr>")
    assert (invite.line, invite.to) == ("INVITE sip:bob@ims.example SIP/2.0", ("198.51.100.9", 5060))
    assert invite.message.values("Route") == ["<sip:198.51.100.9;lr>"]


def test_path_is_the_way_of_a_call_to_who_registered_through_it(registered) -> None:
    """RFC 3327 5.4."""
    registered.register("bob", "<sip:bob@192.0.2.77>", source=BOB, headers="Path: <sip:198.51.100.9;lr>, <sip:e;lr>")
    (invite,) = Caller(registered).invite()
    assert (invite.line, invite.to) == ("INVITE sip:bob@192.0.2.77 SIP/2.0", ("198.51.100.9", 5060))
    assert invite.message.values("Route") == ["<sip:198.51.100.9;lr>", "<sip:e;lr>"]


def test_call_from_ipv4_to_ipv6_and_back(registered) -> None:
    """RFC 5658: each end has the address of its own family on top, and the core takes both off again."""
    six, bob = ("::1", 5060), ("::1", 5092)
    registered.engine.add_listener(Listener("clients/2", "UDP", *six, advertised=six))
    on_six = registered._flow("clients", bob)._replace(local=six, listener="clients/2")
    registered._flow = lambda listener, source, flow=registered._flow: (
        on_six if source == bob else flow(listener, source)
    )
    registered.register("bob", "<sip:bob@[::1]:5092>", source=bob)
    call = Caller(registered)
    (invite,) = call.invite()
    assert (invite.line, invite.to) == ("INVITE sip:bob@[::1]:5092 SIP/2.0", bob)
    assert str(invite.message.via).startswith("SIP/2.0/UDP [::1]:5060;")
    route = ["<sip:[::1]:5060;lr>", RECORDED]
    assert invite.message.values("Record-Route") == route
    assert registered.answer(invite, "200 OK", to_tag="b")[0].to == ALICE
    (bye,) = call.within("BYE", 2, "sip:bob@[::1]:5092", ", ".join(reversed(route)))
    assert (bye.to, bye.listener, bye.header("Route")) == (bob, "clients/2", None)
    (bye,) = call.from_callee("BYE", 1, ", ".join(route), bob)
    assert (bye.to, bye.listener, bye.header("Route")) == (ALICE, "clients", None)


# Over TCP


@pytest.fixture
def stream(make_bench):
    """Alice and bob have registered over TCP, and nobody listens where their Contacts say."""
    bench = make_bench(transport="TCP")
    bench.refusing = {ALICE, BOB}
    for user, place in (("alice", ALICE), ("bob", BOB)):
        bench.register(user, f"<sip:{user}@{place[0]}:{place[1]};transport=tcp>", source=place)
    return bench


def test_call_by_tcp_comes_on_the_connection_of_the_callee_and_back_on_that_of_the_caller(stream) -> None:
    """RFC 5626 5.3."""
    call = Caller(stream)
    (invite,) = call.invite()
    assert (invite.flow, invite.to) == (stream._flow("clients", BOB), BOB)
    assert invite.message.values("Record-Route") == ["<sip:127.0.0.1:5060;transport=tcp;lr>"]
    assert stream.answer(invite, "200 OK", to_tag="b")[0].flow == stream._flow("clients", ALICE)
    route = "<sip:127.0.0.1:5060;transport=tcp;lr>"
    for method, number in (("ACK", 1), ("BYE", 2)):
        (sent,) = call.within(method, number, f"sip:bob@{BOB[0]}:{BOB[1]};transport=tcp", route)
        assert sent.flow == stream._flow("clients", BOB), method
    (bye,) = call.from_callee("BYE", 1, route)
    assert bye.flow == stream._flow("clients", ALICE)


def test_call_to_a_connection_that_is_gone_is_480(stream) -> None:
    stream.fail(stream._flow("clients", BOB))
    answers = [each for each in Caller(stream).invite() if not isinstance(each.message, Request)]
    assert [each.line.partition(":")[0] for each in answers] == ["SIP/2.0 480 Temporarily Unavailable"]


def test_hundreds_of_calls_leave_nothing_behind(desk) -> None:
    """Answered, refused and given up in turn: no transaction, context or deadline remains."""
    for number in range(300):
        call = Caller(desk, call_id=f"call-{number}")
        mobile, fixed = call.invite()
        desk.answer(mobile, "180 Ringing", to_tag="b")
        if number % 3 == 0:
            desk.answer(mobile, "200 OK", to_tag="b")
            call.within("ACK", 1)
            desk.answer(call.within("BYE", 2)[0], "200 OK")
        elif number % 3 == 1:
            desk.answer(mobile, "486 Busy Here")
            desk.answer(fixed, "603 Decline")
        else:
            call.cancel()
            desk.answer(mobile, "487 Request Terminated")
    assert desk.core.proxy.pending == 200, "a branch that never said anything is waited for"
    desk.advance(70)
    assert desk.core.proxy.pending == 0
    assert not desk.engine.clients
    assert not desk.engine.servers
