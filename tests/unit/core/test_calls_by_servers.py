"""Calls that pass an application server, or should have (TS 24.229 5.4.3.2 and 5.4.3.3)."""

import pytest
from caller import ALICE, BOB, Caller, lines

from talkburst_core.daemon import world

SERVER = ("127.0.0.3", 5070)
CRITERION = """<InitialFilterCriteria>
      <Priority>3</Priority>
      <TriggerPoint><ConditionTypeCNF>1</ConditionTypeCNF>
        <SPT><Group>0</Group><Method>INVITE</Method></SPT><SPT><Group>1</Group><SessionCase>{case}</SessionCase></SPT>
      </TriggerPoint>
      <ApplicationServer><ServerName>sip:other.ims.example</ServerName>
        <DefaultHandling>{handling}</DefaultHandling></ApplicationServer>
    </InitialFilterCriteria>
  </ServiceProfile>"""


def served(make_bench, *users: str, case: int, handling: int = 0):
    """Alice and bob, registered; INVITE of these users goes to a server in that session case."""
    files = {}
    for name in ("alice", "alice-2", "bob"):
        text = (world() / "profiles" / f"{name}.xml").read_text("utf-8")
        if name.partition("-")[0] in users:
            text = text.replace("</ServiceProfile>", CRITERION.format(case=case, handling=handling), 1)
        files[f"{name}.xml"] = text
    bench = make_bench(files)
    for user, place in (("alice", ALICE), ("bob", BOB)):
        bench.register(user, f"<sip:{user}@{place[0]}:{place[1]}>", source=place)
    return bench


def back(bench, asked):
    """The server passes the INVITE on as a proxy does, and stays on its way."""
    message = asked.message
    rest = message.values("Route")[1:]
    return bench.server(
        "\n".join(
            [
                message.start_line,
                f"Via: SIP/2.0/UDP {SERVER[0]}:{SERVER[1]};branch=z9hG4bKserver",
                *(f"Via: {value}" for value in message.get_all("Via")),
                f"Route: {', '.join(rest)}",
                f"Record-Route: <sip:{SERVER[0]}:{SERVER[1]};lr>",
                *(f"Record-Route: {value}" for value in message.get_all("Record-Route")),
                *(f"{name}: {message.get(name)}" for name in ("From", "To", "Call-ID", "CSeq", "Contact")),
                f"P-Asserted-Identity: {message.get('P-Asserted-Identity')}",
                f"Max-Forwards: {message.get('Max-Forwards')}",
            ]
        ),
        SERVER,
    )


@pytest.mark.parametrize(("user", "case"), [("alice", 0), ("bob", 1)], ids=["the caller's", "the callee's"])
def test_call_passes_the_server_and_its_dialog_passes_it_again(make_bench, user: str, case: int) -> None:
    bench = served(make_bench, user, case=case)
    call = Caller(bench)
    (asked,) = call.invite()
    assert (asked.line, asked.to) == ("INVITE sip:bob@ims.example SIP/2.0", SERVER)
    (invite,) = back(bench, asked)
    assert (invite.line, invite.to) == ("INVITE sip:bob@127.0.0.1:5092 SIP/2.0", BOB)
    recorded = [value.strip("<>").removesuffix(";lr") for value in invite.message.values("Record-Route")]
    clients, servers, server = "sip:127.0.0.1:5060", "sip:127.0.0.1:5054", f"sip:{SERVER[0]}:{SERVER[1]}"
    assert recorded == [clients, servers, server, servers, clients]
    (answer,) = bench.answer(invite, "200 OK", to_tag="b")
    assert (answer.to, answer.line) == (SERVER, "SIP/2.0 200 OK")
    route = ", ".join(reversed(invite.message.values("Record-Route")))
    (bye,) = call.within("BYE", 2, route=route)
    assert (bye.to, bye.message.values("Route")[0]) == (SERVER, f"<{server};lr>")
    assert len(bye.message.values("Route")) == 3


def test_call_that_comes_back_from_the_server_is_a_spiral_and_no_loop(make_bench) -> None:
    """RFC 5393 4.2.2: the core sees its own Via, but the Route is another one."""
    bench = served(make_bench, "alice", case=0)
    (asked,) = Caller(bench).invite()
    (invite,) = back(bench, asked)
    assert [via.sent_by for via in invite.message.vias][:3] == ["127.0.0.1:5060", "127.0.0.3:5070", "127.0.0.1:5054"]


def test_callee_rings_when_the_server_is_silent(make_bench) -> None:
    bench = served(make_bench, "alice", case=0)
    Caller(bench).invite()
    sent = [line for line in lines(bench.advance(5)) if not line.startswith(f"{SERVER[1]} ")]
    assert sent == ["5090 100 Trying", "5092 INVITE sip:bob@127.0.0.1:5092 SIP/2.0"]


def test_server_that_answers_after_all_has_the_call_and_the_callee_rings_no_more(make_bench) -> None:
    """A 2xx to INVITE is passed on whenever it comes (RFC 3261 16.7 step 5), and then nobody else is called."""
    bench = served(make_bench, "alice", case=0)
    (asked,) = Caller(bench).invite()
    invite = next(each for each in bench.advance(5) if each.to == BOB)
    bench.answer(invite, "180 Ringing")
    assert lines(bench.answer(asked, "200 OK")) == ["5090 200 OK", "5092 CANCEL sip:bob@127.0.0.1:5092 SIP/2.0"]
    assert lines(bench.answer(invite, "487 Request Terminated")) == ["5092 ACK sip:bob@127.0.0.1:5092 SIP/2.0"]


def test_server_that_begins_to_answer_too_late_is_cancelled(make_bench) -> None:
    bench = served(make_bench, "alice", case=0)
    (asked,) = Caller(bench).invite()
    bench.advance(5)
    (cancel,) = bench.answer(asked, "183 Session Progress")
    assert (cancel.message.method, cancel.to) == ("CANCEL", SERVER)


def test_callee_does_not_ring_when_the_caller_has_given_up(make_bench) -> None:
    bench = served(make_bench, "alice", case=0)
    call = Caller(bench)
    call.invite()
    call.cancel()
    sent = [line for line in lines(bench.advance(5.2)) if not line.startswith(f"{SERVER[1]} ")]
    assert sent == ["5090 100 Trying", "5090 487 Request Terminated"]


def test_call_ends_with_504_where_it_may_not_go_on_without_the_server(make_bench) -> None:
    bench = served(make_bench, "bob", case=1, handling=1)
    Caller(bench).invite()
    assert lines(bench.advance(5))[-1] == "5090 504 sip:other.ims.example does not answer"


def test_call_that_the_server_refuses_is_refused(make_bench) -> None:
    bench = served(make_bench, "bob", case=1)
    (asked,) = Caller(bench).invite()
    assert lines(bench.answer(asked, "603 Decline"))[-1] == "5090 603 Decline"


@pytest.mark.parametrize("status", ["500 Broken", "503 Overloaded", "408 Request Timeout"])
def test_callee_rings_when_the_server_fails(make_bench, status: str) -> None:
    bench = served(make_bench, "bob", case=1)
    (asked,) = Caller(bench).invite()
    assert lines(bench.answer(asked, status))[-1] == "5092 INVITE sip:bob@127.0.0.1:5092 SIP/2.0"
