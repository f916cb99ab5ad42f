"""A subscription that is written down as a row, and gone on with by another process."""

import json
from typing import Any

import pytest

from talkburst.sip.headers import SubscriptionState
from talkburst.sip.journal import RowError
from talkburst.sip.message import Request, Response, response_to
from talkburst.sip.requester import Requester
from talkburst.sip.subscriber import EXPIRED, State, Subscriber, Subscription
from talkburst.sip.uas import Uas

OURS, PEER = ("192.0.2.2", 5070), ("192.0.2.9", 5090)

NOTIFY = """
    NOTIFY sip:as@192.0.2.2:5070 SIP/2.0
    Via: SIP/2.0/UDP 192.0.2.9:5090;branch=z9hG4bKn{cseq}
    Record-Route: <sip:192.0.2.9:5090;lr>
    From: <sip:alice@ims.example>;tag=peer
    To: <sip:as@ims.example>;tag={tag}
    Call-ID: {call}
    CSeq: {cseq} NOTIFY
    Contact: <sip:alice@192.0.2.9:5099>
    Event: reg
    Subscription-State: {state}
"""


class Life:
    """A subscriber from one start of the process to the next."""

    def __init__(self, net: Any) -> None:
        self.net = net
        self.engine = net.engine(OURS)
        uas = Uas(self.engine, net.token)
        subscriber = Subscriber(self.engine, uas, packages=["reg"])
        uas.serve("NOTIFY", subscriber.on_notify)
        self.engine.user = uas
        self.rows: list[Any] = []
        self.ends: list[str] = []
        self.subscription = Subscription(
            Requester(self.engine, None, net.token),
            net.watching_alice("<sip:192.0.2.9:5090;lr>"),
            subscriber=subscriber,
            expires=600_000,
            on_notify=self.on_notify,
            on_end=lambda reason, delay, now: self.ends.append(reason),
            on_change=lambda: self.rows.append(self.subscription.to_row()),
        )

    def on_notify(self, request: Request, told: SubscriptionState, now: float) -> None: ...

    def established(self, granted: int = 3600) -> "Life":
        self.subscription.start(self.net.now)
        self.answer("200 OK", f"Expires: {granted}")
        self.notify(1, f"active;expires={granted}")
        return self

    def killed(self, at: float | None = None) -> "Life":
        """Another process goes on with the last row."""
        row = json.loads(json.dumps(self.rows[-1]))
        heir = Life(self.net)
        heir.subscription.resume(row, self.net.now if at is None else at)
        return heir

    def asked(self) -> Request:
        self.net.run(0.05)
        self.net.take_mail()
        found: Request = self.net.sent("SUBSCRIBE")[-1]
        return found

    def answer(self, status: str, *headers: str) -> None:
        self.net.answer(self.asked(), status, *headers, to=OURS)

    def notify(self, cseq: int, state: str) -> int:
        subscribe = self.net.sent("SUBSCRIBE")[-1]
        self.net.take_mail()
        values = {"cseq": cseq, "state": state, "tag": subscribe.from_.tag, "call": subscribe.call_id}
        self.net.inject(NOTIFY.format(**values), OURS)
        [answer] = [message for message in self.net.take_mail() if isinstance(message, Response)]
        return answer.status


@pytest.fixture
def life(net: Any) -> Life:
    return Life(net)


def test_there_is_no_row_before_the_first_notify(life: Life) -> None:
    life.subscription.start(life.net.now)
    assert life.subscription.to_row() is None
    life.answer("200 OK", "Expires: 3600")
    assert life.rows[-1] is None
    life.notify(1, "active;expires=3600")
    assert life.rows[-1] == life.subscription.to_row() != None  # noqa: E711


def test_there_is_no_row_after_the_end(life: Life) -> None:
    life.established().notify(2, "terminated;reason=timeout")
    assert life.subscription.to_row() is None


def test_every_subscribe_is_written_down_before_it_leaves(life: Life) -> None:
    life.established()
    life.subscription.refresh(life.net.now)
    assert life.rows[-1]["dialog"]["local_cseq"] == 2


def test_refresh_goes_out_in_the_old_dialog(life: Life) -> None:
    before = life.established().asked()
    heir = life.killed()
    subscribe = heir.asked()
    assert (subscribe.call_id, subscribe.from_.tag, subscribe.to.tag) == (before.call_id, before.from_.tag, "peer")
    assert subscribe.cseq.number == 2
    assert subscribe.uri == "sip:alice@192.0.2.9:5099"
    assert subscribe.get_all("Route") == ["<sip:192.0.2.9:5090;lr>"]
    assert subscribe.get("Expires") == "600000"
    heir.answer("200 OK", "Expires: 3600")
    assert heir.notify(2, "active;expires=3600") == 200
    assert heir.subscription.state is State.ACTIVE


def test_refresh_waits_for_its_time(life: Life) -> None:
    life.established()
    heir = life.killed(at=life.net.now + 10)
    life.net.run(9)
    assert len(life.net.sent("SUBSCRIBE")) == 1
    life.net.run(2)
    assert heir.asked().cseq.number == 2


def test_one_that_expired_meanwhile_ends_and_asks_nothing(life: Life) -> None:
    life.established()
    del life.net.engines[OURS]
    life.net.run(4000)
    heir = life.killed()
    life.net.run(0)
    assert heir.ends == [EXPIRED]
    assert len(life.net.sent("SUBSCRIBE")) == 1


def test_one_that_was_being_ended_is_ended(life: Life) -> None:
    life.established()
    life.subscription.stop(life.net.now)
    heir = life.killed()
    assert heir.asked().get("Expires") == "0"
    heir.answer("200 OK", "Expires: 0")
    heir.notify(2, "terminated;reason=timeout")
    assert heir.ends == ["timeout"]


def test_pending_stays_pending(life: Life) -> None:
    life.subscription.start(life.net.now)
    life.answer("200 OK", "Expires: 3600")
    life.notify(1, "pending;expires=3600")
    assert life.killed().subscription.state is State.PENDING


def test_abandoned_one_sends_nothing_and_says_nothing(life: Life) -> None:
    life.established()
    life.subscription.refresh(life.net.now)
    life.net.run(0.05)
    sent = len(life.net.sent("SUBSCRIBE"))
    life.subscription.abandon(life.net.now)
    life.net.run(4000)
    assert len(life.net.sent("SUBSCRIBE")) == sent
    assert life.ends == []
    assert life.notify(2, "active;expires=3600") == 481


def test_abandoned_one_does_not_hear_the_answer_that_comes_late(life: Life) -> None:
    life.established()
    life.subscription.refresh(life.net.now)
    subscribe = life.asked()
    life.subscription.abandon(life.net.now)
    rows = len(life.rows)
    life.net.inject(response_to(subscribe, 200, to_tag="peer").to_bytes().decode().partition("\r\n\r\n")[0], OURS)
    assert (len(life.rows), life.ends) == (rows, [])


@pytest.mark.parametrize("column", ["dialog", "expires", "pending", "stopping", "expires_at"])
def test_row_that_cannot_be_read_is_named(life: Life, column: str) -> None:
    life.established()
    life.rows.append({**life.rows[-1], column: "7"})
    with pytest.raises(RowError, match=column):
        life.killed()
