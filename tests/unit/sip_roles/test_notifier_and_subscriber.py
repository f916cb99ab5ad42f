"""Notifier and subscriber back to back: loss, reordering and long times."""

import random
from collections.abc import Hashable
from typing import Any

import pytest

from talkburst.sip.flow import Flow
from talkburst.sip.headers import SubscriptionState
from talkburst.sip.message import Request, Response
from talkburst.sip.notifier import Notifier, NotifierSubscription
from talkburst.sip.requester import Requester
from talkburst.sip.subscriber import State, Subscriber, Subscription
from talkburst.sip.uas import Uas

CORE, SERVER = ("192.0.2.1", 5060), ("192.0.2.2", 5070)


class Counting:
    """An event package whose state is a number."""

    name = "reg"
    default_expires = 3761
    min_expires = 60
    max_expires = 3600
    media_type = "application/reginfo+xml"
    notify_interval = 5.0

    def __init__(self) -> None:
        self.value = 0

    def authorise(self, request: Request, flow: Flow, now: float) -> tuple[int, str] | str:
        return request.uri

    def state(self, subscription: NotifierSubscription, now: float) -> bytes | None:
        return f"{subscription.version}:{self.value}".encode()

    def throttle_key(self, subscription: NotifierSubscription) -> Hashable:
        return subscription.subscriber


class Pair:
    def __init__(self, net: Any, notify_first: bool = False) -> None:
        self.net = net
        core, server = net.engine(CORE), net.engine(SERVER)
        self.package = Counting()
        uas = Uas(core, net.token)
        self.notifier = Notifier(core, uas, [self.package], net.token, notify_first=notify_first)
        uas.serve("SUBSCRIBE", self.notifier.on_subscribe)
        core.user = uas
        self.server_uas = Uas(server, net.token)
        self.subscriber = Subscriber(server, self.server_uas)
        self.server_uas.serve("NOTIFY", self.subscriber.on_notify)
        server.user = self.server_uas
        self.requester = Requester(server, None, net.token)
        self.told: list[str] = []
        self.states: list[str] = []
        self.ends: list[str] = []
        self.subscription = self.make()

    def make(self) -> Subscription:
        return Subscription(
            self.requester,
            self.net.watching_alice("<sip:192.0.2.1:5060;lr>"),
            subscriber=self.subscriber,
            expires=600000,
            on_notify=self.on_notify,
            on_end=lambda reason, delay, now: self.ends.append(reason),
        )

    def on_notify(self, request: Request, state: SubscriptionState, now: float) -> None:
        self.told.append(request.body.decode())
        self.states.append(str(state))

    def start(self) -> None:
        self.subscription.start(self.net.now)
        self.net.run(0.1)

    def change(self) -> None:
        self.package.value += 1
        self.notifier.changed("reg", "sip:alice@ims.example", self.net.now)


@pytest.mark.parametrize("notify_first", [False, True])
def test_both_orders_of_200_and_notify_make_a_subscription(net: Any, notify_first: bool) -> None:
    pair = Pair(net, notify_first)
    pair.start()
    kinds = [message.start_line.split()[0] for _, source, message in net.log if source == CORE]
    assert kinds == (["NOTIFY", "SIP/2.0"] if notify_first else ["SIP/2.0", "NOTIFY"])
    assert (pair.told, pair.states) == (["0:0"], ["active;expires=3600"])
    assert pair.subscription.state is State.ACTIVE
    assert len(pair.notifier.subscriptions) == 1


def test_a_200_that_is_overtaken_on_the_way_does_no_harm(net: Any) -> None:
    net.delay = lambda message: 0.4 if isinstance(message, Response) and message.cseq.method == "SUBSCRIBE" else 0.01
    pair = Pair(net)
    pair.start()
    assert pair.told == ["0:0"]
    net.run(1)
    assert pair.subscription.state is State.ACTIVE
    assert len(net.sent("NOTIFY")) == 1


def test_a_day_of_refreshes_keeps_one_dialog(net: Any) -> None:
    pair = Pair(net)
    pair.start()
    net.run(86400)
    (subscription,) = pair.notifier.subscriptions
    assert len(net.sent("SUBSCRIBE")) == 29
    assert [told.split(":")[0] for told in pair.told] == [str(number) for number in range(29)]
    assert set(pair.states) == {"active;expires=3600"}
    assert subscription.dialog.local_cseq == 29
    assert pair.ends == []


def test_unsubscribing_leaves_nothing_behind(net: Any) -> None:
    pair = Pair(net)
    pair.start()
    pair.subscription.stop(net.now)
    net.run(1)
    assert (pair.ends, pair.states[-1]) == (["timeout"], "terminated;reason=timeout")
    net.run(100)
    assert pair.notifier.subscriptions == []
    assert pair.subscriber.subscriptions == []
    assert all(engine.next_deadline() is None for engine in net.engines.values())


def test_a_subscriber_that_vanished_is_removed_and_its_refresh_gets_481(net: Any) -> None:
    pair = Pair(net)
    pair.start()
    net.lose = lambda message: isinstance(message, Request) and message.method == "NOTIFY"
    pair.change()
    net.run(40)
    assert pair.notifier.subscriptions == []
    net.lose = lambda message: False
    pair.subscription.refresh(net.now)
    net.run(1)
    assert pair.ends == ["481"]


def test_a_subscriber_that_forgot_its_dialog_answers_481_and_is_told_no_more(net: Any) -> None:
    pair = Pair(net)
    pair.start()
    pair.subscriber.remove(pair.subscription)
    pair.change()
    net.run(1)
    assert pair.notifier.subscriptions == []


def test_deactivated_lets_the_application_subscribe_anew(net: Any) -> None:
    pair = Pair(net)
    pair.start()
    pair.notifier.terminate("reg", "sip:alice@ims.example", "deactivated", net.now)
    net.run(1)
    assert pair.ends == ["deactivated"]
    again = pair.make()
    again.start(net.now)
    net.run(1)
    assert again.state is State.ACTIVE
    assert pair.told[-1] == "0:0"
    assert again.call_id != pair.subscription.call_id


@pytest.mark.parametrize("seed", range(20))
def test_through_loss_and_reordering_the_last_state_arrives_and_versions_rise(net: Any, seed: int) -> None:
    chance = random.Random(seed)
    net.lose = lambda message: chance.random() < 0.3
    net.delay = lambda message: chance.choice([0.01, 0.02, 0.7])
    pair = Pair(net)
    pair.start()
    for _ in range(30):
        net.run(chance.uniform(0.1, 20))
        pair.change()
        if chance.random() < 0.2:
            pair.subscription.refresh(net.now)
    net.run(100)
    versions = [int(told.split(":")[0]) for told in pair.told]
    assert versions == list(range(len(versions)))
    assert pair.told[-1].split(":")[1] == "30"
    assert pair.ends == []
    assert len(pair.notifier.subscriptions) == 1
