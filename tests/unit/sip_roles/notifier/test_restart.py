"""A notifier that is killed and started again over what its journal left."""

import json
from collections.abc import Hashable
from typing import Any

import pytest

from talkburst.sip.flow import Flow
from talkburst.sip.journal import Journal, RowError
from talkburst.sip.message import Request, Response
from talkburst.sip.notifier import Notifier, NotifierSubscription
from talkburst.sip.uas import Uas

OURS = ("192.0.2.1", 5060)


class Reg:
    name = "reg"
    default_expires = 3761
    min_expires = 60
    max_expires = 7200
    media_type = "application/reginfo+xml"
    notify_interval = 5.0

    def __init__(self) -> None:
        self.text = "alice"

    def authorise(self, request: Request, flow: Flow, now: float) -> tuple[int, str] | str:
        return "alice"

    def state(self, subscription: NotifierSubscription, now: float) -> bytes | None:
        subscription.data["told"] = self.text
        return f"{self.text} {subscription.version}".encode()

    def throttle_key(self, subscription: NotifierSubscription) -> Hashable:
        return subscription.subscriber


class Bench:
    """What the journal says is on disk at once; `restart` forgets everything else."""

    def __init__(self, net: Any) -> None:
        self.net = net
        self.rows: dict[str, Any] = {}
        self.start()

    def start(self) -> None:
        engine = self.net.engine(OURS)
        self.journal = Journal()
        self.package = Reg()
        uas = Uas(engine, self.net.token, allow_events=["reg"])
        self.notifier = Notifier(engine, uas, [self.package], self.net.token, journal=self.journal)
        uas.serve("SUBSCRIBE", self.notifier.on_subscribe)
        engine.user = uas

    def store(self) -> None:
        for table, key, row in self.journal.take():
            assert table == "subscriptions"
            if row is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = json.loads(json.dumps(row))

    def restart(self, after: float = 0.0) -> list[Request]:
        """Killed, down for a while, up again; the requests that come of it."""
        self.store()
        del self.net.engines[OURS]
        self.net.run(after)
        self.net.take_mail()
        self.start()
        self.notifier.restore(self.rows, self.net.now)
        return self.run()

    def run(self, seconds: float = 0.1) -> list[Request]:
        self.net.run(seconds)
        mail = self.net.take_mail()
        self.responses = [message for message in mail if isinstance(message, Response)]
        self.store()
        return [message for message in mail if isinstance(message, Request)]

    def subscribe(
        self, cseq: int = 1, to_tag: str = "", expires: int = 600, event: str = "reg", sender: str = "as"
    ) -> list[Request]:
        self.net.inject(
            f"""
            SUBSCRIBE sip:alice@ims.example SIP/2.0
            Via: SIP/2.0/UDP 192.0.2.9:5090;branch=z9hG4bK{cseq}{self.net.token()};rport
            Record-Route: <sip:192.0.2.9:5090;lr;two>
            From: "AS" <sip:{sender}@ims.example>;tag=f1
            To: <sip:alice@ims.example>{to_tag and f";tag={to_tag}"}
            Call-ID: c1
            CSeq: {cseq} SUBSCRIBE
            Contact: <sip:{sender}@192.0.2.9:5090>
            Event: {event}
            Expires: {expires}
            """,
            OURS,
        )
        return self.run()

    def ok(self, *notifies: Request) -> None:
        for notify in notifies:
            self.net.answer(notify, "200 OK", to=OURS)
        self.run(0.0)


@pytest.fixture
def bench(net: Any) -> Bench:
    return Bench(net)


def test_a_refresh_in_the_old_dialog_succeeds_and_its_notify_goes_on_counting(bench: Bench) -> None:
    [first] = bench.subscribe()
    bench.ok(first)
    assert bench.restart() == []
    [second] = bench.subscribe(cseq=2, to_tag=first.from_.tag or "")
    assert [response.status for response in bench.responses] == [200]
    assert second.call_id == first.call_id
    assert (second.get("From"), second.get("To")) == (first.get("From"), first.get("To"))
    assert (second.uri, second.get_all("Route")) == (first.uri, first.get_all("Route"))
    assert (first.cseq.number, second.cseq.number) == (1, 2)
    assert (first.body, second.body) == (b"alice 0", b"alice 1")


def test_a_cseq_from_before_is_still_too_low(bench: Bench) -> None:
    [first] = bench.subscribe(cseq=7)
    bench.ok(first)
    bench.restart()
    assert bench.subscribe(cseq=6, to_tag=first.from_.tag or "") == []
    assert [response.status for response in bench.responses] == [500]


def test_a_notify_that_nobody_confirmed_is_sent_again_under_the_next_number(bench: Bench) -> None:
    bench.subscribe()
    [again] = bench.restart()
    assert (again.cseq.number, again.body) == (2, b"alice 1")
    assert again.get("Subscription-State") == "active;expires=599"
    bench.ok(again)
    assert bench.restart() == []


def test_a_notify_that_could_not_be_delivered_is_owed_after_the_restart(bench: Bench) -> None:
    [first] = bench.subscribe()
    bench.ok(first)
    bench.package.text = "alice, changed"
    bench.notifier.changed("reg", "alice", bench.net.now)
    [second] = bench.run()
    bench.net.answer(second, "503 Service Unavailable", to=OURS)
    [third] = bench.restart()
    assert third.cseq.number == second.cseq.number + 1
    assert third.from_.tag == first.from_.tag


def test_a_change_that_waited_for_its_turn_is_told(bench: Bench) -> None:
    bench.ok(*bench.subscribe())
    bench.notifier.changed("reg", "alice", bench.net.now)
    bench.ok(*bench.run())
    bench.notifier.changed("reg", "alice", bench.net.now)
    assert bench.run() == []
    assert [notify.body for notify in bench.restart()] == [b"alice 2"]


def test_what_expired_while_nobody_was_there_ends_with_a_notify(bench: Bench) -> None:
    bench.ok(*bench.subscribe(expires=600))
    [last] = bench.restart(after=700)
    assert last.get("Subscription-State") == "terminated;reason=timeout"
    assert bench.notifier.subscriptions == []
    bench.ok(last)
    assert bench.rows == {}


def test_an_end_that_was_not_confirmed_is_told_once_more(bench: Bench) -> None:
    bench.ok(*bench.subscribe())
    bench.notifier.terminate("reg", "alice", "probation", bench.net.now, retry_after=60)
    assert len(bench.run()) == 1
    [again] = bench.restart()
    assert again.get("Subscription-State") == "terminated;reason=probation;retry-after=60"
    assert (again.cseq.number, again.body) == (3, b"alice 1")
    bench.ok(again)
    assert bench.rows == {}


def test_it_expires_at_its_time_after_a_restart(bench: Bench) -> None:
    bench.ok(*bench.subscribe(expires=600))
    assert bench.restart(after=300) == []
    assert bench.run(290) == []
    assert {notify.get("Subscription-State") for notify in bench.run(20)} == {"terminated;reason=timeout"}


def test_a_subscribe_that_is_retransmitted_after_the_restart_makes_no_second_dialog(bench: Bench) -> None:
    [first] = bench.subscribe()
    bench.restart()
    bench.subscribe()
    assert [(response.status, response.to.tag) for response in bench.responses] == [(200, first.from_.tag)]
    assert len(bench.notifier.subscriptions) == 1


@pytest.mark.parametrize("other", [{"cseq": 2}, {"event": "reg;id=1"}, {"sender": "mallory"}])
def test_another_subscribe_with_the_same_call_id_makes_its_own(bench: Bench, other: dict[str, Any]) -> None:
    [first] = bench.subscribe()
    bench.restart()
    bench.subscribe(**other)
    assert len(bench.notifier.subscriptions) == 2
    assert bench.responses[0].to.tag != first.from_.tag


def test_what_a_package_keeps_comes_back(bench: Bench) -> None:
    bench.ok(*bench.subscribe())
    bench.restart()
    [subscription] = bench.notifier.subscriptions
    assert subscription.data == {"told": "alice"}


def test_memory_goes_back_to_what_is_stored(bench: Bench) -> None:
    bench.ok(*bench.subscribe())
    [subscription] = bench.notifier.subscriptions
    bench.net.inject(
        f"""
        SUBSCRIBE sip:alice@ims.example SIP/2.0
        Via: SIP/2.0/UDP 192.0.2.9:5090;branch=z9hG4bKlost;rport
        From: <sip:as@ims.example>;tag=f1
        To: <sip:alice@ims.example>;tag={subscription.dialog.local_tag}
        Call-ID: c1
        CSeq: 2 SUBSCRIBE
        Contact: <sip:as@192.0.2.99:5090>
        Event: reg
        Expires: 0
        """,
        OURS,
    )
    assert bench.notifier.subscriptions == []
    bench.journal.take()
    bench.notifier.restore(bench.rows, bench.net.now, bench.net.now + 5)
    bench.net.take_mail()
    [kept] = bench.notifier.subscriptions
    assert (kept.dialog.local_cseq, kept.dialog.remote_cseq, kept.version) == (1, 1, 1)
    assert bench.run(4) == []  # the NOTIFY that was under way is not sent any more
    assert bench.subscribe(cseq=3, to_tag=kept.dialog.local_tag)[0].cseq.number == 2


def test_who_was_owed_a_notify_gets_it_at_the_time_to_resume(bench: Bench) -> None:
    bench.subscribe()
    bench.notifier.restore(bench.rows, bench.net.now, bench.net.now + 5)
    assert bench.run(4.5) == []
    assert [notify.cseq.number for notify in bench.run(0.6)] == [2]


def test_a_row_that_makes_no_sense_is_an_error(bench: Bench) -> None:
    with pytest.raises(RowError, match="package is None and no text"):
        bench.notifier.restore({"x": {}}, bench.net.now)
