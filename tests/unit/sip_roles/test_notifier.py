from collections.abc import Hashable
from typing import Any

import pytest

from talkburst.sip.flow import Flow
from talkburst.sip.message import Request, Response
from talkburst.sip.notifier import Notifier, NotifierSubscription
from talkburst.sip.uas import Uas

OURS = ("192.0.2.1", 5060)

SUBSCRIBE = """
    SUBSCRIBE {uri} SIP/2.0
    Via: SIP/2.0/UDP 192.0.2.9:5090;branch=z9hG4bK{call}{cseq};rport
    Record-Route: <sip:192.0.2.9:5090;lr;two>
    Record-Route: <sip:192.0.2.9:5091;lr;one>
    From: "AS" <sip:as@ims.example>;tag={from_tag}
    To: <sip:alice@ims.example>{to_tag}
    Call-ID: {call}
    CSeq: {cseq} SUBSCRIBE
    Contact: <sip:as@{contact}>
    P-Asserted-Identity: <{asserted}>
"""


class Reg:
    """Says its version and who asks. Alice may be watched, Bob may not, nobody else is here."""

    name = "reg"
    default_expires = 3761
    min_expires = 60
    max_expires = 7200
    media_type = "application/reginfo+xml"

    def __init__(self, notify_interval: float = 5.0) -> None:
        self.notify_interval = notify_interval
        self.text: str | None = "alice"

    def authorise(self, request: Request, flow: Flow, now: float) -> tuple[int, str] | str:
        verdicts: dict[str, tuple[int, str] | str] = {
            "sip:alice@ims.example": "alice",
            "sip:bob@ims.example": (403, "Not your business"),
        }
        return verdicts.get(request.uri, (480, "Temporarily Unavailable"))

    def state(self, subscription: NotifierSubscription, now: float) -> bytes | None:
        return f"{self.text} {subscription.version}".encode() if self.text is not None else None

    def throttle_key(self, subscription: NotifierSubscription) -> Hashable:
        return subscription.subscriber


class Bench:
    """A stranger subscribes at our notifier. `answers` is what it says to each NOTIFY; None leaves it unanswered."""

    def __init__(self, net: Any, notify_first: bool = False, interval: float = 5.0) -> None:
        self.net = net
        engine = net.engine(OURS)
        self.package = Reg(interval)
        self.decisions: list[tuple[str, dict[str, object]]] = []
        self.uas = Uas(engine, net.token, allow_events=["reg"])
        self.notifier = Notifier(
            engine,
            self.uas,
            [self.package],
            net.token,
            notify_first=notify_first,
            decide=lambda what, facts: self.decisions.append((what, dict(facts))),
        )
        self.uas.serve("SUBSCRIBE", self.notifier.on_subscribe)
        engine.user = self.uas
        self.answers: str | None = "200 OK"

    def subscribe(
        self, *headers: str, call: str = "c1", cseq: int = 1, body: bytes = b"", without: str = "", **parts: str
    ) -> Response:
        """Sends a SUBSCRIBE, answers its NOTIFYs, and returns the answer to it."""
        values = {
            "uri": "sip:alice@ims.example",
            "from_tag": "f1",
            "to_tag": "",
            "contact": "192.0.2.9:5090",
            "asserted": "sip:as@ims.example",
            **parts,
        }
        if not any(header.startswith("Event") for header in headers) and without != "Event":
            headers = ("Event: reg", *headers)
        text = SUBSCRIBE.format(call=call, cseq=cseq, **values) + "".join(f"    {line}\n" for line in headers)
        lines = [line for line in text.splitlines() if not without or not line.strip().startswith(without)]
        self.mail: list[Request | Response] = []
        self.net.inject("\n".join(lines), OURS, body)
        self.run(0.1)
        answers = [message for message in self.mail if isinstance(message, Response)]
        assert len(answers) == 1
        self.tag = answers[0].to.tag
        return answers[0]

    def again(self, *headers: str, cseq: int = 2, call: str = "c1", **parts: str) -> Response:
        """The same within the dialog of the last answer."""
        return self.subscribe(
            *headers, call=call, cseq=cseq, uri="sip:192.0.2.1:5060", to_tag=f";tag={self.tag}", **parts
        )

    def run(self, seconds: float) -> list[Request]:
        """Lets time pass, answers each NOTIFY once, and returns them."""
        end, notifies = self.net.now + seconds, []
        while True:
            self.net.run(min(0.05, max(0.0, end - self.net.now)))
            for message in self.net.take_mail():
                self.mail.append(message)
                if isinstance(message, Request):
                    notifies.append(message)
                    if self.answers is not None:
                        self.net.answer(message, self.answers, to=OURS)
            if self.net.now >= end:
                return notifies

    def change(self, text: str) -> None:
        self.package.text = text
        self.notifier.changed("reg", "alice", self.net.now)

    @property
    def notifies(self) -> list[Request]:
        return [message for message in self.mail if isinstance(message, Request)]

    @property
    def notify(self) -> Request:
        (only,) = self.notifies
        return only


@pytest.fixture
def bench(net: Any) -> Bench:
    return Bench(net)


def states(notifies: list[Request]) -> list[tuple[str, str | None]]:
    return [(request.body.decode(), request.get("Subscription-State")) for request in notifies]


# Taking a subscription


def test_a_subscribe_is_answered_with_200_and_then_a_notify_in_its_dialog(bench: Bench) -> None:
    answer = bench.subscribe("Expires: 600")
    assert bench.mail[0] is answer
    assert answer.status == 200
    assert answer.get("Expires") == "600"
    assert answer.get("Contact") == "<sip:192.0.2.1:5060>"
    assert answer.get_all("Record-Route") == ["<sip:192.0.2.9:5090;lr;two>", "<sip:192.0.2.9:5091;lr;one>"]
    notify = bench.notify
    assert [line for line in notify.header_lines() if line[0] != "Via"] == [
        ("Route", "<sip:192.0.2.9:5090;lr;two>"),
        ("Route", "<sip:192.0.2.9:5091;lr;one>"),
        ("From", f"<sip:alice@ims.example>;tag={answer.to.tag}"),
        ("To", '"AS" <sip:as@ims.example>;tag=f1'),
        ("Call-ID", "c1"),
        ("CSeq", "1 NOTIFY"),
        ("Contact", "<sip:192.0.2.1:5060>"),
        ("Event", "reg"),
        ("Subscription-State", "active;expires=600"),
        ("Content-Type", "application/reginfo+xml"),
        ("Content-Length", "7"),
        ("Max-Forwards", "70"),
    ]
    assert (notify.uri, notify.body) == ("sip:as@192.0.2.9:5090", b"alice 0")


def test_with_notify_first_the_notify_overtakes_the_200(net: Any) -> None:
    bench = Bench(net, notify_first=True)
    answer = bench.subscribe()
    assert [message.start_line.split()[0] for message in bench.mail] == ["NOTIFY", "SIP/2.0"]
    assert bench.notify.from_.tag == answer.to.tag


@pytest.mark.parametrize(
    ("headers", "expires"),
    [((), "3761"), (("Expires: 60",), "60"), (("Expires: 7200",), "7200"), (("Expires: 600000",), "7200")],
)
def test_the_duration_is_granted_and_told_in_both(bench: Bench, headers: tuple[str, ...], expires: str) -> None:
    assert bench.subscribe(*headers).get("Expires") == expires
    assert bench.notify.get("Subscription-State") == f"active;expires={expires}"


def test_the_subscription_shows_who_watches_what(bench: Bench) -> None:
    bench.subscribe("Event: reg;id=7;foo=bar", asserted="sip:%61s@IMS.example;user=phone")
    (subscription,) = bench.notifier.subscriptions
    assert (subscription.resource, subscription.subscriber) == ("alice", "sip:as@ims.example")
    assert bench.notify.get("Event") == "reg;id=7"
    assert bench.notifier.watching("reg", "alice") == [subscription]
    assert bench.notifier.watching("reg", "bob") == []


def test_without_an_asserted_identity_the_from_counts(bench: Bench) -> None:
    bench.subscribe(without="P-Asserted")
    assert bench.notifier.subscriptions[0].subscriber == "sip:as@ims.example"


def test_a_package_may_have_nothing_to_say(bench: Bench) -> None:
    bench.package.text = None
    bench.subscribe()
    assert bench.notify.body == b""
    assert bench.notify.get("Content-Type") is None
    assert bench.notifier.subscriptions[0].version == 0


# Refusing one


@pytest.mark.parametrize(
    ("headers", "parts", "answer", "names"),
    [
        (["Event: presence"], {}, "489 Bad Event", ("Allow-Events", "reg")),
        (["Event: Reg"], {}, "489 Bad Event", ("Allow-Events", "reg")),
        ([], {"without": "Event"}, "489 Bad Event", ("Allow-Events", "reg")),
        ([], {"uri": "sip:bob@ims.example"}, "403 Not your business", None),
        ([], {"uri": "sip:carol@ims.example"}, "480 Temporarily Unavailable", None),
        (["Accept: text/plain"], {}, "406 Not Acceptable", None),
        (["Accept:"], {}, "406 Not Acceptable", None),
        (["Expires: 59"], {}, "423 Interval Too Brief", ("Min-Expires", "60")),
        (["Expires: 1"], {}, "423 Interval Too Brief", ("Min-Expires", "60")),
        ([], {"to_tag": ";tag=gone"}, "481 Subscription does not exist", None),
        (["Expires: soon"], {}, "400", None),
        ([], {"without": "Contact"}, "400", None),
        (["Event: presence", "Expires: 1", "Accept: text/plain"], {"uri": "sip:bob@ims.example"}, "489", None),
        (["Expires: 1", "Accept: text/plain"], {"uri": "sip:bob@ims.example"}, "403", None),
    ],
)
def test_what_is_refused_and_how(
    bench: Bench, headers: list[str], parts: dict[str, str], answer: str, names: tuple[str, str] | None
) -> None:
    refused = bench.subscribe(*headers, **parts)  # type: ignore[arg-type]  # only strings stand in the table
    assert refused.start_line.startswith(f"SIP/2.0 {answer}")
    if names is not None:
        assert refused.get(names[0]) == names[1]
    assert bench.notifies == []
    assert bench.notifier.subscriptions == []


def test_a_refusal_is_decided_aloud(bench: Bench) -> None:
    bench.subscribe(uri="sip:bob@ims.example")
    assert bench.decisions == [
        ("SUBSCRIBE refused", {"status": 403, "why": "Not your business", "event": "reg", "call_id": "c1"})
    ]


# Refreshing and ending


def test_a_refresh_prolongs_and_is_told_the_state(bench: Bench) -> None:
    bench.subscribe("Expires: 600")
    bench.run(500)
    answer = bench.again("Expires: 600")
    assert (answer.status, answer.get("Expires")) == (200, "600")
    assert states(bench.notifies) == [("alice 1", "active;expires=600")]
    assert bench.notify.cseq.number == 2
    bench.run(599)
    assert len(bench.notifier.subscriptions) == 1


def test_a_refresh_moves_the_target_and_brings_its_accept(bench: Bench) -> None:
    bench.subscribe("Accept: */*")
    bench.again("Accept: application/reginfo+xml", contact="192.0.2.10")
    assert bench.notify.uri == "sip:as@192.0.2.10"
    assert bench.notifier.subscriptions[0].accept == ["application/reginfo+xml"]


def test_a_refresh_that_is_refused_leaves_the_subscription_as_it_was(bench: Bench) -> None:
    bench.subscribe("Expires: 600")
    assert bench.again("Expires: 10").status == 423
    assert bench.again("Accept: text/plain", cseq=3).status == 406
    assert bench.again("Event: reg;id=1", cseq=4).status == 481
    (subscription,) = bench.notifier.subscriptions
    assert subscription.version == 1
    assert round(subscription.expires_at - bench.net.now) == 600


def test_a_lower_cseq_in_the_dialog_gets_500(bench: Bench) -> None:
    bench.subscribe(cseq=5)
    assert bench.again(cseq=4).status == 500
    assert bench.notifies == []


def test_expires_0_ends_it_with_the_state_and_reason_timeout(bench: Bench) -> None:
    bench.subscribe()
    answer = bench.again("Expires: 0")
    assert (answer.status, answer.get("Expires")) == (200, "0")
    assert states(bench.notifies) == [("alice 1", "terminated;reason=timeout")]
    assert bench.notifier.subscriptions == []
    assert bench.again("Expires: 600", cseq=3).status == 481


def test_expires_0_out_of_a_dialog_fetches_once(bench: Bench) -> None:
    answer = bench.subscribe("Expires: 0")
    assert (answer.status, answer.get("Expires")) == (200, "0")
    assert states(bench.notifies) == [("alice 0", "terminated;reason=timeout")]
    assert bench.notifier.subscriptions == []


def test_what_is_not_refreshed_ends_with_reason_timeout(bench: Bench) -> None:
    bench.subscribe("Expires: 60")
    assert bench.run(59) == []
    assert states(bench.run(2)) == [("alice 1", "terminated;reason=timeout")]
    assert bench.notifier.subscriptions == []


def test_the_package_ends_subscriptions_with_its_own_reason(bench: Bench) -> None:
    bench.subscribe()
    bench.notifier.terminate("reg", "alice", "probation", bench.net.now, retry_after=30)
    assert states(bench.run(1)) == [("alice 1", "terminated;reason=probation;retry-after=30")]
    assert bench.notifier.subscriptions == []


def test_only_those_that_the_package_picks_are_ended(bench: Bench) -> None:
    bench.subscribe()
    bench.subscribe(call="c2", from_tag="f2", asserted="sip:other@ims.example")
    bench.notifier.terminate(
        "reg", "alice", "rejected", bench.net.now, only=lambda one: one.subscriber == "sip:other@ims.example"
    )
    assert [request.call_id for request in bench.run(1)] == ["c2"]
    assert [one.dialog.call_id for one in bench.notifier.subscriptions] == ["c1"]


def test_nothing_is_told_of_a_resource_that_nobody_watches(bench: Bench) -> None:
    bench.notifier.changed("reg", "alice", bench.net.now)
    bench.notifier.terminate("reg", "alice", "deactivated", bench.net.now)
    bench.net.run(60)
    assert bench.net.log == []


def test_subscriptions_move_with_their_resource_and_nobody_is_told_of_it(bench: Bench) -> None:
    bench.subscribe()
    bench.notifier.move("reg", "alice", "alice and tel")
    assert bench.run(1) == []
    bench.change("b")
    assert bench.run(1) == []
    bench.notifier.changed("reg", "alice and tel", bench.net.now)
    assert [request.body for request in bench.run(1)] == [b"b 1"]
    assert bench.notifier.watching("reg", "alice") == []


# Changes


def test_a_change_is_told_at_once_with_what_is_left(bench: Bench) -> None:
    bench.subscribe("Expires: 600")
    bench.net.run(99.9)
    bench.change("b")
    assert states(bench.run(0.1)) == [("b 1", "active;expires=499")]


def test_changes_within_the_interval_are_told_once_with_the_last_state(bench: Bench) -> None:
    bench.subscribe()
    start = bench.net.now
    bench.change("b")
    for text in "cdef":
        bench.run(0.5)
        bench.change(text)
    bench.run(10)
    told = [message for message in bench.net.sent("NOTIFY") if not message.body.startswith(b"alice")]
    assert [message.body for message in told] == [b"b 1", b"f 2"]
    assert bench.net.times("NOTIFY", start)[1:] == [0.0, 5.0]


def test_after_a_quiet_interval_a_change_is_told_at_once_again(bench: Bench) -> None:
    bench.subscribe()
    start = bench.net.now
    bench.change("b")
    bench.run(6)
    bench.change("c")
    bench.run(1)
    assert bench.net.times("NOTIFY", start)[1:] == [0.0, 6.0]


def test_a_coalesced_notify_starts_the_next_interval(bench: Bench) -> None:
    bench.subscribe()
    start = bench.net.now
    for text, pause in (("b", 1), ("c", 6), ("d", 8)):
        bench.change(text)
        bench.run(pause)
    assert bench.net.times("NOTIFY", start)[1:] == [0.0, 5.0, 10.0]


def test_the_notify_of_a_subscribe_is_neither_delayed_nor_starts_an_interval(bench: Bench) -> None:
    bench.subscribe()
    bench.change("b")
    bench.run(1)
    bench.again()
    assert states(bench.notifies) == [("b 2", "active;expires=3761")]
    bench.run(10)
    bench.again(cseq=3)
    bench.change("c")
    assert [request.body for request in bench.run(0.1)] == [b"c 4"]


def test_what_a_refresh_told_is_not_told_again_when_the_interval_ends(bench: Bench) -> None:
    bench.subscribe()
    bench.change("b")
    bench.run(1)
    bench.change("c")
    bench.again()
    assert [request.body for request in bench.notifies] == [b"c 2"]
    assert bench.run(20) == []


def test_the_end_is_told_within_the_interval_and_nothing_after_it(bench: Bench) -> None:
    bench.subscribe()
    bench.change("b")
    bench.run(1)
    bench.change("c")
    bench.notifier.terminate("reg", "alice", "deactivated", bench.net.now)
    assert states(bench.run(0.1)) == [("c 2", "terminated;reason=deactivated")]
    assert bench.run(20) == []


def test_those_that_share_a_key_share_the_rate_and_others_do_not(bench: Bench) -> None:
    bench.subscribe(call="c1", from_tag="f1")
    bench.subscribe(call="c2", from_tag="f2")
    bench.subscribe(call="c3", from_tag="f3", asserted="sip:other@ims.example")
    bench.change("b")
    assert sorted(request.call_id for request in bench.run(1)) == ["c1", "c2", "c3"]
    bench.change("c")
    assert bench.run(3.5) == []
    assert sorted((request.call_id, request.body) for request in bench.run(1)) == [
        ("c1", b"c 2"),
        ("c2", b"c 2"),
        ("c3", b"c 2"),
    ]


def test_without_an_interval_every_change_is_told(net: Any) -> None:
    bench = Bench(net, interval=0)
    bench.subscribe()
    for text in "bcd":
        bench.change(text)
        bench.run(0.1)
    assert [message.body for message in bench.net.sent("NOTIFY")] == [b"alice 0", b"b 1", b"c 2", b"d 3"]


# One NOTIFY at a time


def test_while_a_notify_is_unanswered_the_next_waits_and_says_the_last_state(net: Any) -> None:
    bench = Bench(net, interval=0)
    bench.subscribe()
    bench.answers = None
    bench.change("b")
    (waiting,) = bench.run(0.1)
    for text in "cd":
        bench.change(text)
    bench.again()
    assert {message.body for message in bench.net.sent("NOTIFY")} == {b"alice 0", b"b 1"}
    bench.answers = "200 OK"
    bench.net.answer(waiting, "200 OK", to=OURS)
    assert [request.body for request in bench.run(0.1)] == [b"d 2"]


def test_the_end_waits_for_the_answer_too_and_keeps_its_document(bench: Bench) -> None:
    bench.answers = None
    bench.subscribe()
    (waiting,) = bench.notifies
    bench.package.text = "gone"
    bench.notifier.terminate("reg", "alice", "deactivated", bench.net.now)
    bench.package.text = "forgotten"
    bench.net.answer(waiting, "500 Server Internal Error", to=OURS)
    assert states(bench.run(0.1)) == [("gone 1", "terminated;reason=deactivated")]


def test_a_provisional_answer_is_no_answer(bench: Bench) -> None:
    bench.answers = None
    bench.subscribe()
    bench.net.answer(bench.notify, "100 Trying", to=OURS)
    bench.change("b")
    assert bench.run(0.1) == []


# Failing NOTIFYs


@pytest.mark.parametrize("status", [404, 405, 408, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604])
def test_answers_to_a_notify_that_remove_the_subscription(bench: Bench, status: int) -> None:
    bench.answers = f"{status} Gone"
    bench.subscribe()
    assert bench.notifier.subscriptions == []
    bench.change("b")
    bench.run(5000)
    assert len(bench.net.sent("NOTIFY")) == 1
    assert bench.decisions[-1][1]["why"] == str(status)


@pytest.mark.parametrize("status", [400, 401, 403, 407, 415, 486, 500, 503, 600])
def test_answers_to_a_notify_that_do_not(bench: Bench, status: int) -> None:
    bench.answers = f"{status} Not now"
    bench.subscribe()
    assert len(bench.notifier.subscriptions) == 1
    bench.answers = "200 OK"
    bench.change("b")
    assert [request.body for request in bench.run(0.1)] == [b"b 1"]


def test_no_answer_at_all_removes_the_subscription(bench: Bench) -> None:
    bench.answers = None
    bench.subscribe()
    bench.run(31)
    assert len(bench.notifier.subscriptions) == 1
    bench.run(2)
    assert bench.notifier.subscriptions == []
    assert len(bench.net.sent("NOTIFY")) == 11
    assert bench.decisions[-1][1]["why"] == "no answer"


def test_a_transport_error_counts_as_503_and_does_not(bench: Bench) -> None:
    bench.answers = None
    bench.subscribe()
    engine = bench.net.engines[OURS]
    engine.transport_failed(Flow("UDP", OURS, ("192.0.2.9", 5090), listener="main"), bench.net.now)
    assert len(bench.notifier.subscriptions) == 1
    bench.answers = "200 OK"
    bench.change("b")
    assert [request.body for request in bench.run(0.1)] == [b"b 1"]


@pytest.mark.parametrize("answer", ["430 Flow Failed", "500 Oops", "502 Bad", "503 Busy", "504 Late"])
def test_what_did_not_get_through_is_told_when_it_does_with_the_state_of_then(bench: Bench, answer: str) -> None:
    bench.subscribe()
    bench.answers = answer
    bench.change("b")
    since = bench.net.now
    first, *others = bench.run(4)
    assert [request.body for request in others] == [b"b 2", b"b 3", b"b 4"]
    assert [request.cseq.number - first.cseq.number for request in others] == [1, 2, 3]
    assert [at for at in bench.net.times("NOTIFY", since) if at > 0] == pytest.approx([0.5, 1.5, 3.5], abs=0.15)
    assert bench.decisions[-1] == (
        "NOTIFY failed, trying again",
        {
            "event": "reg",
            "resource": "alice",
            "subscriber": "sip:as@ims.example",
            "call_id": "c1",
            "why": answer[:3],
            "seconds": 4.0,
        },
    )
    bench.package.text = "c"
    bench.answers = "200 OK"
    assert [request.body for request in bench.run(600)] == [b"c 5"]


def test_it_is_tried_again_when_the_answer_says_and_not_before(bench: Bench) -> None:
    bench.subscribe()
    bench.answers = None
    bench.change("b")
    [notify] = bench.run(0.1)
    bench.net.answer(notify, "486 Busy Here", "Retry-After: 20", to=OURS)
    bench.answers = "200 OK"
    assert bench.run(19.5) == []
    assert [request.body for request in bench.run(1)] == [b"b 2"]


@pytest.mark.parametrize(("asked", "seconds"), [("86400", 3600), ("9" * 400, 3600), ("later", 0.5)])
def test_it_is_tried_again_within_the_hour_whatever_the_answer_says(bench: Bench, asked: str, seconds: float) -> None:
    bench.subscribe(expires=36_000)
    bench.answers = None
    bench.change("b")
    [notify] = bench.run(0.1)
    bench.net.answer(notify, "503 Service Unavailable", f"Retry-After: {asked}", to=OURS)
    bench.answers = "200 OK"
    assert bench.run(seconds - 0.2) == []
    assert [request.body for request in bench.run(1)] == [b"b 2"]


def test_who_cannot_be_reached_is_told_when_that_is_over(bench: Bench) -> None:
    bench.subscribe()
    bench.answers = None
    bench.change("b")
    engine = bench.net.engines[OURS]
    for delay in (0.5, 1.0):
        engine.transport_failed(Flow("UDP", OURS, ("192.0.2.9", 5090), listener="main"), bench.net.now)
        bench.net.run(delay)
        bench.net.take_mail()
    bench.answers = "200 OK"
    assert [request.body for request in bench.run(600)] == [b"b 3"]


def test_a_refresh_tells_it_first_and_then_nothing_is_owed(bench: Bench) -> None:
    bench.subscribe()
    bench.answers = "503 Busy"
    bench.change("b")
    bench.run(0.1)
    bench.answers = "200 OK"
    bench.again()
    assert [request.body for request in bench.notifies] == [b"b 2"]
    assert bench.run(600) == []


def test_the_end_is_tried_again_too_but_not_for_ever(bench: Bench) -> None:
    bench.subscribe()
    bench.answers = "503 Busy"
    bench.notifier.terminate("reg", "alice", "deactivated", bench.net.now)
    told = bench.run(3600)
    assert {request.get("Subscription-State") for request in told} == {"terminated;reason=deactivated"}
    assert {request.body for request in told} == {b"alice 1"}
    assert len(told) == 9


def test_what_did_not_get_through_is_owed_no_more_when_the_subscription_has_ended(bench: Bench) -> None:
    bench.subscribe("Expires: 60")
    bench.answers = "503 Busy"
    bench.change("b")
    bench.run(55)
    bench.answers = "200 OK"
    [last] = bench.run(600)
    assert last.get("Subscription-State") == "terminated;reason=timeout"


def test_what_is_due_is_dropped_with_the_subscription(bench: Bench) -> None:
    bench.answers = None
    bench.subscribe()
    bench.change("b")
    bench.net.answer(bench.notify, "481 Gone", to=OURS)
    assert bench.run(20) == []


# Repetitions


def test_a_retransmitted_subscribe_makes_no_second_notify(bench: Bench) -> None:
    first = bench.subscribe()
    second = bench.subscribe()
    assert first.to_bytes() == second.to_bytes()
    assert len(bench.net.sent("NOTIFY")) == 1


def test_two_dialogs_to_one_resource_are_two_subscriptions(bench: Bench) -> None:
    bench.subscribe()
    bench.subscribe(call="c2", from_tag="f2")
    assert [one.version for one in bench.notifier.subscriptions] == [1, 1]


def test_number_of_subscriptions_to_one_resource_has_an_end(bench, monkeypatch) -> None:
    monkeypatch.setattr("talkburst.sip.subscription_establishment.MOST_WATCHERS", 2)
    assert [bench.subscribe(call=call).status for call in ("c1", "c2")] == [200, 200]
    tag = bench.tag
    assert bench.subscribe(call="c3").status == 403
    bench.tag = tag
    assert bench.again("Expires: 0", call="c2").status == 200
    assert bench.subscribe(call="c4").status == 200
