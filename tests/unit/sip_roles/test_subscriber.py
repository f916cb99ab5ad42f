"""The subscriber against a stranger who writes each message by hand."""

from typing import Any

import pytest

from talkburst.sip.digest import DigestClient
from talkburst.sip.flow import Flow
from talkburst.sip.headers import SubscriptionState
from talkburst.sip.message import Request, Response
from talkburst.sip.requester import Requester
from talkburst.sip.subscriber import EXPIRED, NO_NOTIFY, UNREACHABLE, State, Subscriber, Subscription
from talkburst.sip.transaction.client import Failure
from talkburst.sip.uas import Uas

OURS, PEER = ("192.0.2.2", 5070), ("192.0.2.9", 5090)

NOTIFY = """
    NOTIFY sip:as@192.0.2.2:5070 SIP/2.0
    Via: SIP/2.0/UDP 192.0.2.9:5090;branch=z9hG4bKn{number};rport
    Record-Route: <sip:192.0.2.9:5090;lr;near>
    Record-Route: <sip:192.0.2.9:5091;lr;far>
    From: <sip:alice@ims.example>;tag={tag}
    To: <sip:as@ims.example>;tag={to_tag}
    Call-ID: {call}
    CSeq: {cseq} NOTIFY
    Contact: <sip:alice@192.0.2.9:5099>
"""


class Bench:
    def __init__(self, net: Any, **options: Any) -> None:
        self.net = net
        self.engine = net.engine(OURS)
        self.uas = Uas(self.engine, net.token)
        self.subscriber = Subscriber(self.engine, self.uas, packages=["poc-settings"])
        self.uas.serve("NOTIFY", self.subscriber.on_notify)
        self.engine.user = self.uas
        self.told: list[tuple[str, bytes]] = []
        self.ends: list[tuple[str, float | None]] = []
        self.accepted: list[int] = []
        requester = Requester(self.engine, DigestClient("as", "poc"), net.token)
        requests = net.watching_alice("<sip:192.0.2.9:5090;lr>")
        self.subscription = Subscription(
            requester,
            requests,
            subscriber=self.subscriber,
            **{
                "expires": 600000,
                "on_notify": self.on_notify,
                "on_end": lambda reason, delay, now: self.ends.append((reason, delay)),
                "on_accept": lambda response, now: self.accepted.append(response.status),
                **options,
            },
        )
        self.number = 0

    def on_notify(self, request: Request, state: SubscriptionState, now: float) -> None:
        self.told.append((str(state), request.body))

    def start(self) -> Request:
        self.subscription.start(self.net.now)
        return self.asked()

    def asked(self, since: int = 0) -> Request:
        """The last SUBSCRIBE sent."""
        self.net.run(0.05)
        self.net.take_mail()
        self.last: Request = self.net.sent("SUBSCRIBE")[-1]
        return self.last

    def asks(self) -> list[int]:
        """The CSeq numbers of the SUBSCRIBEs so far, retransmissions left out."""
        self.net.run(0)
        return sorted({message.cseq.number for message in self.net.sent("SUBSCRIBE")})

    def answer(self, status: str = "200 OK", *headers: str) -> None:
        self.net.answer(self.asked(), status, *headers, to=OURS)

    def notify(self, state: str = "active;expires=3600", *headers: str, body: bytes = b"", **parts: Any) -> Response:
        """Sends a NOTIFY in the dialog and returns the answer to it."""
        self.number += 1
        subscribe = self.net.sent("SUBSCRIBE")[-1]
        values = {
            "number": self.number,
            "tag": "peer",
            "to_tag": subscribe.from_.tag,
            "call": subscribe.call_id,
            "cseq": self.number,
            **parts,
        }
        if not any(header.startswith("Event") for header in headers):
            headers = ("Event: reg", *headers)
        lines = [*NOTIFY.format(**values).splitlines(), *headers]
        if state:
            lines.append(f"Subscription-State: {state}")
        if body:
            lines.append("Content-Type: application/reginfo+xml")
        without = values.get("without")
        self.net.take_mail()
        self.net.inject("\n".join(line.strip() for line in lines if not without or without not in line), OURS, body)
        answers = [message for message in self.net.take_mail() if isinstance(message, Response)]
        assert len(answers) == 1
        return answers[0]

    def establish(self, granted: int = 3600) -> None:
        self.start()
        self.answer("200 OK", f"Expires: {granted}")
        assert self.notify(f"active;expires={granted}").status == 200
        assert self.subscription.state is State.ACTIVE


@pytest.fixture
def bench(net: Any) -> Bench:
    return Bench(net)


# Asking


def test_what_a_first_subscribe_says(bench: Bench) -> None:
    subscribe = bench.start()
    assert bench.subscription.state is State.NOTIFY_WAIT
    assert subscribe.start_line == "SUBSCRIBE sip:alice@ims.example SIP/2.0"
    assert [line for line in subscribe.header_lines() if line[0] != "Via"] == [
        ("Route", "<sip:192.0.2.9:5090;lr>"),
        ("From", "<sip:as@ims.example>;tag=t2"),
        ("To", "<sip:alice@ims.example>"),
        ("Call-ID", "t1"),
        ("CSeq", "1 SUBSCRIBE"),
        ("Contact", "<sip:as@192.0.2.2:5070>"),
        ("Event", "reg"),
        ("Expires", "600000"),
        ("Accept", "application/reginfo+xml"),
        ("P-Asserted-Identity", "<sip:as@ims.example>"),
        ("Max-Forwards", "70"),
        ("Content-Length", "0"),
    ]


def test_the_200_alone_makes_no_dialog(bench: Bench) -> None:
    bench.start()
    bench.answer("200 OK", "Expires: 3600")
    assert bench.accepted == [200]
    assert bench.subscription.dialog is None
    assert bench.subscription.state is State.NOTIFY_WAIT


def test_202_of_an_old_notifier_is_a_200(bench: Bench) -> None:
    bench.start()
    bench.answer("202 Accepted", "Expires: 3600")
    assert bench.notify().status == 200
    assert (bench.accepted, bench.ends) == ([202], [])


def test_a_subscription_is_started_once(bench: Bench) -> None:
    bench.start()
    with pytest.raises(RuntimeError):
        bench.subscription.start(bench.net.now)


# The first NOTIFY


def test_the_notify_makes_the_dialog_with_its_route_set_in_the_order_received(bench: Bench) -> None:
    bench.start()
    bench.answer("200 OK", "Expires: 3600")
    answer = bench.notify(body=b"<reginfo/>")
    assert answer.status == 200
    assert answer.get("Contact") == "<sip:as@192.0.2.2:5070>"
    assert bench.told == [("active;expires=3600", b"<reginfo/>")]
    bench.subscription.refresh(bench.net.now)
    refresh = bench.asked()
    assert refresh.uri == "sip:alice@192.0.2.9:5099"
    assert refresh.get_all("Route") == ["<sip:192.0.2.9:5090;lr;near>", "<sip:192.0.2.9:5091;lr;far>"]
    assert refresh.get("To") == "<sip:alice@ims.example>;tag=peer"
    assert (refresh.from_.tag, refresh.call_id, refresh.cseq.number) == ("t2", "t1", 2)
    assert refresh.get("P-Asserted-Identity") == "<sip:as@ims.example>"


def test_a_notify_before_the_200_is_taken(bench: Bench) -> None:
    bench.start()
    assert bench.notify("active;expires=600").status == 200
    assert bench.subscription.state is State.ACTIVE
    bench.answer("200 OK", "Expires: 600")
    assert bench.ends == []
    assert bench.subscription.dialog is not None


def test_the_tag_of_the_200_need_not_be_the_notifiers(bench: Bench) -> None:
    bench.start()
    bench.answer("200 OK", "Expires: 600")
    assert bench.notify(tag="another").status == 200


def test_a_second_dialog_from_the_same_subscribe_gets_481(bench: Bench) -> None:
    bench.establish()
    assert bench.notify(tag="fork").start_line == "SIP/2.0 481 Subscription does not exist"
    assert len(bench.told) == 1
    assert bench.notify().status == 200


def test_no_notify_within_timer_n_is_a_failure_even_after_a_200(bench: Bench) -> None:
    bench.start()
    bench.answer("200 OK", "Expires: 3600")
    bench.net.run(31.5)
    assert bench.ends == []
    bench.net.run(1)
    assert bench.ends == [(NO_NOTIFY, None)]
    assert bench.notify().status == 481


def test_a_notifier_that_is_not_there_is_the_same_failure(bench: Bench) -> None:
    bench.start()
    bench.net.run(33)
    assert bench.ends == [(NO_NOTIFY, None)]


def test_a_notify_that_ends_it_at_once_makes_no_dialog(bench: Bench) -> None:
    bench.start()
    bench.answer("200 OK", "Expires: 0")
    assert bench.notify("terminated;reason=rejected", body=b"<reginfo/>").status == 200
    assert bench.told == [("terminated;reason=rejected", b"<reginfo/>")]
    assert bench.ends == [("rejected", None)]
    assert bench.subscription.dialog is None


def test_pending_is_not_active_yet(bench: Bench) -> None:
    bench.start()
    bench.answer("200 OK", "Expires: 3600")
    bench.notify("pending;expires=3600")
    assert bench.subscription.state is State.PENDING
    bench.notify("active;expires=3590")
    assert bench.subscription.state is State.ACTIVE


def test_a_state_of_an_extension_means_that_it_lives(bench: Bench) -> None:
    bench.start()
    assert bench.notify("waiting;expires=3600").status == 200
    assert bench.subscription.state is State.ACTIVE


# NOTIFYs that are not taken


@pytest.mark.parametrize(
    ("state", "headers", "parts", "status"),
    [
        ("active;expires=9", ["Event: presence"], {}, 489),
        ("active;expires=9", ["Event: poc-settings"], {}, 481),  # ours, but not this subscription's
        ("active;expires=9", ["Event: reg;id=1"], {}, 481),
        ("active;expires=9", [], {"call": "other"}, 481),
        ("active;expires=9", [], {"to_tag": "other"}, 481),
        ("active;expires=9", [], {"without": "Event:"}, 489),
        ("", [], {}, 400),
        ("active;expires=9", [], {"without": "Contact:"}, 400),
    ],
)
def test_what_is_refused_and_how(
    bench: Bench, state: str, headers: list[str], parts: dict[str, str], status: int
) -> None:
    bench.start()
    assert bench.notify(state, *headers, **parts).status == status
    assert bench.told == []
    assert bench.subscription.state is State.NOTIFY_WAIT


def test_a_document_of_another_type_gets_415(bench: Bench) -> None:
    bench.establish()
    answer = bench.notify("active;expires=3600", "Content-Type: text/plain", body=b"hello", without="reginfo+xml")
    assert answer.status == 415
    assert answer.get("Accept") == "application/reginfo+xml"
    assert len(bench.told) == 1


def test_an_older_notify_gets_500_and_is_not_told(bench: Bench) -> None:
    bench.establish()
    assert bench.notify(cseq=9).status == 200
    assert bench.notify(cseq=8).status == 500
    assert len(bench.told) == 2


def test_a_late_notify_after_the_last_one_gets_481(bench: Bench) -> None:
    bench.establish()
    bench.notify("terminated;reason=deactivated", cseq=5)
    assert bench.notify(cseq=4).status == 481
    assert bench.notify(cseq=6).status == 481
    assert len(bench.ends) == 1


def test_a_retransmitted_last_notify_gets_its_200_again(bench: Bench) -> None:
    bench.establish()
    assert bench.notify("terminated;reason=deactivated").status == 200
    bench.number -= 1
    assert bench.notify("terminated;reason=deactivated").status == 200
    assert len(bench.told) == 2


# The end


@pytest.mark.parametrize(
    ("state", "end"),
    [
        ("terminated;reason=deactivated", ("deactivated", None)),
        ("terminated;reason=probation;retry-after=30", ("probation", 30)),
        ("terminated;reason=giveup;retry-after=5", ("giveup", 5)),
        ("terminated;reason=NoResource", ("noresource", None)),
        ("terminated;reason=something-new", ("something-new", None)),
        ("terminated", ("", None)),
        ("Terminated;retry-after=7;expires=9", ("", 7)),
    ],
)
def test_the_reason_goes_to_the_application_and_nothing_is_done_about_it(
    bench: Bench, state: str, end: tuple[str, float | None]
) -> None:
    bench.establish()
    assert bench.notify(state).status == 200
    assert bench.ends == [end]
    assert bench.subscription.state is State.TERMINATED
    assert bench.subscriber.subscriptions == []
    bench.net.run(10000)
    assert bench.asks() == [1]


def test_stop_unsubscribes_and_ends_with_the_last_notify(bench: Bench) -> None:
    bench.establish()
    bench.subscription.stop(bench.net.now)
    assert bench.asked().get("Expires") == "0"
    bench.answer("200 OK", "Expires: 0")
    assert bench.notify("active;expires=100").status == 200  # crossed on the way
    assert bench.ends == []
    assert bench.notify("terminated;reason=timeout").status == 200
    assert bench.ends == [("timeout", None)]


def test_stop_ends_without_the_last_notify_too(bench: Bench) -> None:
    bench.establish()
    bench.subscription.stop(bench.net.now)
    bench.answer("200 OK", "Expires: 0")
    bench.net.run(33)
    assert bench.ends == [(NO_NOTIFY, None)]


def test_a_notify_that_crossed_the_unsubscribe_is_not_the_last_one(bench: Bench) -> None:
    bench.establish()
    bench.subscription.stop(bench.net.now)
    bench.answer("200 OK", "Expires: 0")
    bench.notify("active;expires=100")
    bench.net.run(33)
    assert bench.ends == [(NO_NOTIFY, None)]


def test_stop_ends_when_unsubscribing_fails(bench: Bench) -> None:
    bench.establish()
    bench.subscription.stop(bench.net.now)
    bench.answer("503 Service Unavailable")
    assert bench.ends == [("503", None)]


def test_stop_before_the_first_notify_waits_for_the_dialog(bench: Bench) -> None:
    bench.start()
    bench.answer("200 OK", "Expires: 3600")
    bench.subscription.stop(bench.net.now)
    assert bench.asks() == [1]
    bench.notify()
    assert bench.asked().get("Expires") == "0"
    assert bench.asks() == [1, 2]


def test_stop_before_the_start_is_the_end(bench: Bench) -> None:
    bench.subscription.stop(bench.net.now)
    assert bench.subscription.state is State.TERMINATED
    assert bench.net.sent("SUBSCRIBE") == []


def test_expires_0_fetches_once(net: Any) -> None:
    bench = Bench(net, expires=0)
    bench.start()
    bench.answer("200 OK", "Expires: 0")
    assert bench.notify("terminated;reason=timeout", body=b"<reginfo/>").status == 200
    assert bench.told == [("terminated;reason=timeout", b"<reginfo/>")]
    assert bench.ends == [("timeout", None)]


# Failing at the start


@pytest.mark.parametrize(
    ("status", "headers", "end"),
    [
        ("403 Forbidden", (), ("403", None)),
        ("480 Temporarily Unavailable", (), ("480", None)),
        ("489 Bad Event", (), ("489", None)),
        ("503 Service Unavailable", ("Retry-After: 20",), ("503", 20.0)),
        ("423 Interval Too Brief", (), ("423", None)),
        ("302 Moved", (), ("302", None)),
    ],
)
def test_a_refused_subscription_ends_with_the_status(
    bench: Bench, status: str, headers: tuple[str, ...], end: tuple[str, float | None]
) -> None:
    bench.start()
    bench.answer(status, *headers)
    assert bench.ends == [end]
    assert isinstance(bench.subscription.last_failure, Response)
    assert bench.notify().status == 481


def test_a_transport_that_fails_is_told(bench: Bench) -> None:
    bench.start()
    bench.engine.transport_failed(Flow("UDP", OURS, PEER, listener="main"), bench.net.now)
    assert bench.ends == [(UNREACHABLE, None)]
    assert bench.subscription.last_failure is Failure.TRANSPORT


def test_too_brief_is_asked_again_with_the_minimum(net: Any) -> None:
    bench = Bench(net, expires=30)
    bench.start()
    bench.answer("423 Interval Too Brief", "Min-Expires: 60")
    again = bench.asked()
    assert (again.cseq.number, again.get("Expires"), again.to.tag) == (2, "60", None)
    bench.answer("423 Interval Too Brief", "Min-Expires: 60")
    assert bench.ends == [("423", None)]


def test_a_notifier_that_finds_every_duration_too_brief_is_not_asked_for_ever(bench: Bench) -> None:
    bench.start()
    for _ in range(4):
        bench.answer("423 Interval Too Brief", f"Min-Expires: {int(bench.asked().get('Expires') or 0) + 1}")
    assert bench.asked().cseq.number == 4
    assert bench.ends == [("423", None)]


@pytest.mark.parametrize("minimum", ["soon", "99999999999", "9" * 5000])
def test_too_brief_without_a_duration_to_be_had_is_the_end(bench: Bench, minimum: str) -> None:
    bench.start()
    bench.answer("423 Interval Too Brief", f"Min-Expires: {minimum}")
    assert bench.ends == [("423", None)]


def test_a_challenge_is_answered_and_the_dialog_goes_on_counting(bench: Bench) -> None:
    bench.start()
    bench.answer("401 Unauthorized", 'WWW-Authenticate: Digest realm="x", nonce="n", qop="auth"')
    assert bench.asked().cseq.number == 2
    bench.answer("200 OK", "Expires: 3600")
    bench.notify()
    bench.subscription.refresh(bench.net.now)
    assert bench.asked().cseq.number == 3
    bench.answer("401 Unauthorized", 'WWW-Authenticate: Digest realm="x", nonce="m", qop="auth"')
    assert bench.asked().cseq.number == 4
    bench.answer("200 OK", "Expires: 3600")
    bench.subscription.refresh(bench.net.now)
    assert bench.asked().cseq.number == 5


# Refreshing


@pytest.mark.parametrize(("granted", "after"), [(3600, 3000), (1201, 601), (1200, 600), (600, 300), (60, 30)])
def test_it_refreshes_600_s_before_the_end_or_at_half_time(bench: Bench, granted: int, after: int) -> None:
    bench.establish(granted)
    bench.net.run(after - 1)
    assert bench.asks() == [1]
    bench.net.run(1)
    assert bench.asks() == [1, 2]
    assert bench.asked().get("Expires") == "600000"


def test_a_200_without_expires_means_what_was_asked_for(bench: Bench) -> None:
    bench.start()
    bench.answer()
    bench.notify("active")
    bench.net.run(599000)
    assert bench.asks() == [1]
    bench.net.run(400)
    assert bench.asks() == [1, 2]


def test_a_refresh_starts_the_time_anew(bench: Bench) -> None:
    bench.establish(600)
    bench.net.run(300)
    bench.answer("200 OK", "Expires: 600")
    assert bench.notify("active;expires=600").status == 200
    bench.net.run(299)
    assert bench.asks() == [1, 2]
    bench.net.run(2)
    assert bench.asks() == [1, 2, 3]


def test_a_notify_shortens_but_does_not_lengthen(bench: Bench) -> None:
    bench.establish(3600)
    bench.net.run(100)
    end = bench.subscription.expires_at
    bench.notify("active;expires=90000")
    bench.notify("active;expires=3499")
    assert bench.subscription.expires_at == end
    bench.notify("active;expires=200")
    assert bench.subscription.expires_at == pytest.approx(bench.net.now + 200, abs=0.1)
    bench.net.run(101)
    assert bench.asks() == [1, 2]


def test_a_notify_that_overtook_the_200_shortens_too(bench: Bench) -> None:
    bench.start()
    bench.notify("active;expires=200")
    bench.answer("200 OK", "Expires: 3600")
    assert bench.subscription.expires_at == pytest.approx(bench.net.now + 200, abs=0.2)


def test_a_refresh_while_one_is_under_way_follows_it(bench: Bench) -> None:
    bench.establish()
    for _ in range(3):
        bench.subscription.refresh(bench.net.now)
    assert bench.asks() == [1, 2]
    bench.answer("200 OK", "Expires: 3600")
    assert bench.asks() == [1, 2, 3]
    bench.answer("200 OK", "Expires: 3600")
    assert bench.asks() == [1, 2, 3]


@pytest.mark.parametrize("status", [404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604])
def test_answers_to_a_refresh_that_end_it(bench: Bench, status: int) -> None:
    bench.establish()
    bench.subscription.refresh(bench.net.now)
    bench.answer(f"{status} Gone")
    assert bench.ends == [(str(status), None)]
    assert bench.notify().status == 481


@pytest.mark.parametrize("status", [400, 403, 408, 423, 486, 500, 503, 504, 600])
def test_answers_to_a_refresh_that_leave_it_alive_until_it_expires(bench: Bench, status: int) -> None:
    bench.establish(600)
    bench.subscription.refresh(bench.net.now)
    bench.answer(f"{status} Not now", "Retry-After: 10000")
    bench.net.run(400)
    assert bench.ends == []
    assert bench.notify("active;expires=200").status == 200
    bench.net.run(300)
    assert bench.ends == [(EXPIRED, None)]


def test_a_refresh_that_failed_is_tried_again_when_the_notifier_says(bench: Bench) -> None:
    bench.establish(3600)
    bench.subscription.refresh(bench.net.now)
    bench.answer("503 Service Unavailable", "Retry-After: 30")
    bench.net.run(29)
    assert bench.asks() == [1, 2]
    bench.net.run(1)
    assert bench.asks() == [1, 2, 3]
    bench.answer("200 OK", "Expires: 3600")
    bench.notify()
    bench.net.run(2900)
    assert bench.asks() == [1, 2, 3]


@pytest.mark.parametrize(("asked", "seconds"), [("86400", 3600), ("9" * 400, 3600), ("never", 0.5)])
def test_a_refresh_that_failed_is_tried_again_within_the_hour(bench: Bench, asked: str, seconds: float) -> None:
    bench.establish(36_000)
    bench.subscription.refresh(bench.net.now)
    bench.answer("503 Service Unavailable", f"Retry-After: {asked}")
    bench.net.run(seconds - 0.1)
    assert bench.asks() == [1, 2]
    bench.net.run(0.2)
    assert bench.asks() == [1, 2, 3]


def test_a_refresh_without_a_notify_ends_it(bench: Bench) -> None:
    bench.establish()
    bench.subscription.refresh(bench.net.now)
    bench.answer("200 OK", "Expires: 3600")
    bench.net.run(33)
    assert bench.ends == [(NO_NOTIFY, None)]


def test_a_refresh_without_any_answer_ends_it(bench: Bench) -> None:
    bench.establish()
    bench.subscription.refresh(bench.net.now)
    bench.net.run(33)
    assert bench.ends == [(NO_NOTIFY, None)]


def test_a_refresh_that_was_notified_but_not_answered_does_not(bench: Bench) -> None:
    bench.establish()
    bench.subscription.refresh(bench.net.now)
    bench.net.run(0.1)
    bench.notify()
    bench.net.run(33)
    assert bench.ends == []


def test_204_says_that_no_notify_will_come(bench: Bench) -> None:
    bench.establish()
    bench.subscription.refresh(bench.net.now)
    bench.answer("204 No Notification", "Expires: 3600")
    bench.net.run(100)
    assert bench.ends == []


def test_the_200_of_a_refresh_moves_the_target(bench: Bench) -> None:
    bench.establish()
    bench.subscription.refresh(bench.net.now)
    bench.answer("200 OK", "Expires: 3600", "Contact: <sip:moved@192.0.2.9:5098>")
    bench.notify(without="Contact")
    bench.subscription.refresh(bench.net.now)
    assert bench.asked().uri == "sip:moved@192.0.2.9:5098"


@pytest.mark.parametrize("header", ["Expires: soon", "Contact: <sip:unclosed"])
def test_a_broken_header_in_the_200_is_not_read(bench: Bench, header: str) -> None:
    bench.establish()
    bench.subscription.refresh(bench.net.now)
    bench.answer("200 OK", header)
    bench.notify()
    assert bench.ends == []
