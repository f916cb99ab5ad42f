"""The NOTIFYs that a subscriber takes and those that it refuses, against a stranger who writes each message by hand."""

import pytest

from subscriber_bench import Bench
from talkburst.sip.subscriber import NO_NOTIFY, State

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
