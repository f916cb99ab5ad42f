from typing import Any

import pytest

from notifier_bench import Bench, states

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
