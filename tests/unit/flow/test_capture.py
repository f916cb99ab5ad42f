"""Rules 2, 3, 4 and 8: what is captured, what is the same message, who is who, back-to-back agents."""

import re
from itertools import permutations

import pytest

from talkburst.flow.capture import Capture
from talkburst.flow.checker import Checker
from talkburst.flow.roles import Roles

CLIENT = ("192.0.2.10", 5090)
CORE = [("192.0.2.1", 5060), ("192.0.2.1", 5054)]
SERVER = ("192.0.2.2", 5070)
XDMS = ("192.0.2.3", 8080)
HOPS = {"C-I": {"client", "core"}, "I-S": {"core", "server"}, "S-X": {"server", "xdms"}}


def on(recording, *hops):
    wanted = [HOPS[hop] for hop in hops]
    return type(recording)([shot for shot in recording.shots if {shot.sender, shot.receiver} in wanted])


@pytest.mark.parametrize("hops", [["C-I"], ["I-S"], ["C-I", "I-S"], ["C-I", "S-X"], ["I-S", "S-X"], ["S-X"]])
def test_hops_that_are_not_captured_make_a_run_partial(right, judge, hops):
    report = judge(on(right, *hops).frames())
    assert (report.verdict, report.first_failure, report.exit_code) == ("partial", None, 3)
    seen = {shot.step for shot in on(right, *hops).shots} | ({28} if "I-S" in hops else set())
    assert {step.step for step in report.steps if step.verdict == "pass"} == seen - {None}
    others = {step.verdict for step in report.steps if step.step not in seen}
    assert others == {"not-observed"}


# Without the NOTIFY of step 29 nothing on this hop shows that the settings were stored.
@pytest.mark.parametrize(("step", "fails"), [(6, 6), (9, 9), (17, 17), (20, 20), (26, 26), (29, 28)])
def test_a_failure_on_one_hop_is_one_where_others_are_not_captured(right, judge, step, fails):
    report = judge(on(right, "I-S").without(step).frames())
    assert (report.verdict, report.first_failure) == ("fail", fails)


@pytest.mark.parametrize("step", [4, 14, 19, 21, 27, 30])
def test_a_failure_between_client_and_core_shows_in_their_hop_alone(right, judge, step):
    report = judge(on(right, "C-I").without(step).frames())
    assert (report.verdict, report.first_failure) == ("fail", step)


def test_the_same_message_at_two_taps_counts_once_and_is_noted(right, judge):
    twice = right + right.later(0.0002) + right.later(0.5)
    report = judge(twice.frames())
    assert report.verdict == "pass"
    assert "seen 3 times" in report.steps[0].notes
    assert report.steps[0].time == right.step(1).time


def test_sent_and_received_once_is_no_repetition(right, judge):
    assert all(not any("seen" in note for note in step.notes) for step in judge(right.reported()).steps)


def test_the_dedup_tells_branches_apart(right):
    capture = Capture(Roles())
    seen = [capture.add(frame) for frame in right.only(1).frames()]
    other = [capture.add(frame) for frame in right.change(1, "-C-reg1", "-C-other").only(1).frames()]
    again = [capture.add(frame) for frame in right.only(1).frames()]
    assert [len(news) for news in (*seen, *other, *again)] == [1, 1, 0]


@pytest.mark.parametrize("step", range(1, 10))
def test_roles_are_found_whatever_message_is_missing(right, judge, step):
    report = judge(right.without(step).frames())
    assert {verdict.verdict for verdict in report.steps} == {"pass", "not-reached"}
    assert report.steps[11].verdict == ("not-reached" if step == 4 else "pass")


def test_a_role_named_by_hand_wins(right, judge_all):
    swapped = Roles(client=[SERVER], server=[CLIENT], core=CORE, xdms=[XDMS])
    report = judge_all(right.frames(), roles=swapped)[-1]
    assert report.verdict != "pass"
    named = Roles(client=[CLIENT], server=[SERVER], core=CORE, xdms=[XDMS])
    assert judge_all(right.frames(), roles=named)[0].verdict == "pass"


def test_an_ephemeral_tcp_end_has_the_role_of_the_listener_in_the_top_via(author, judge):
    recording = author(transport="TCP").write()
    ephemeral = {("client", "core"): 50001, ("server", "core"): 50002}
    for shot in recording.shots:
        if shot.protocol == "http":
            continue
        if (shot.sender, shot.receiver) in ephemeral:
            shot.source = (shot.source[0], ephemeral[shot.sender, shot.receiver])
        if (shot.receiver, shot.sender) in ephemeral and shot.payload.startswith(b"SIP/2.0"):
            shot.destination = (shot.destination[0], ephemeral[shot.receiver, shot.sender])
    assert judge(recording.frames()).verdict == "pass"


def relayed(recording, relay, hop):
    """A relay on a hop whose address both ends advertise, as the two ends report it."""
    frames = recording.reported()
    for frame in frames:
        for host, port in hop:
            frame.payload = frame.payload.replace(f"{host}:{port}".encode(), f"{relay[0]}:{relay[1]}".encode())
        body = frame.payload.partition(b"\r\n\r\n")[2]
        frame.payload = re.sub(rb"Content-Length: \d+", b"Content-Length: %d" % len(body), frame.payload)
        if frame.protocol == "sip" and {frame.source, frame.destination} <= set(hop):
            if frame.outbound:
                frame.destination = relay
            else:
                frame.source = relay
    return frames


@pytest.mark.parametrize("hop", [(CLIENT, CORE[0]), (CORE[1], SERVER)])
def test_a_relay_between_two_that_report_does_not_confuse(right, judge, hop):
    report = judge(relayed(right, ("192.0.2.200", 7000), hop))
    assert [(step.step, step.why) for step in report.steps if step.verdict != "pass"] == []


def test_messages_that_come_before_their_roles_are_known_are_placed_later(right, judge):
    frames = right.frames()
    assert judge(frames[2:] + frames[:2]).verdict == "pass"


@pytest.mark.parametrize("order", list(permutations(["client", "core", "server", "xdms"])), ids=" ".join)
def test_reporters_may_be_heard_one_after_the_other(right, judge, order):
    frames = sorted(right.reported(), key=lambda frame: (order.index(frame.node), frame.time))
    assert judge(frames).verdict == "pass"


def test_what_is_no_readable_sip_is_counted(right):
    checker = Checker()
    for payload in (b"\xff\xfe\x00garbage", b"OPTIONS sip:x SIP/2.0\r\n\r\n", b"\r\n\r\n"):
        frame = right.step(1).frame(0.0)
        frame.payload = payload
        assert checker.feed(frame) == []
    assert checker.unreadable == 2  # a keep-alive is nothing to read


def test_foreign_and_broken_traffic_is_passed_over(right, judge):
    frames = right.frames()
    noise = [
        b"\r\n\r\n",
        b"INVITE sip:x@y SIP/2.0\r\nVia: broken\r\n\r\n",
        b"OPTIONS sip:192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2:5070;branch=z9hG4bK-o\r\n"
        b"From: <sip:a@b>;tag=1\r\nTo: <sip:192.0.2.1>\r\nCall-ID: o\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
        b"\xff\xfe\x00garbage",
    ]
    for number, payload in enumerate(noise):
        frame = right.step(5).frame(right.step(5).time + 0.001 * number)
        frame.payload = payload
        frames.append(frame)
    assert judge(frames).verdict == "pass"


# Steps that a back-to-back agent sends on its own, and the branch of the other leg that is then not in them.
LEGS = [
    (17, "C-set"), (25, "C-pub"), (21, "S-n1"), (30, "S-n2"), (18, "C-set"), (26, "C-pub"), (22, "S-n1"), (31, "S-n2"),
]  # fmt: skip


def test_a_back_to_back_agent_passes_with_a_note(right, judge):
    recording = right
    for step in (17, 18, 20, 23, 29, 32):
        recording = recording.change(step, "Call-ID: settings-a", "Call-ID: leg-b")
    for step in (25, 26):
        recording = recording.change(step, "Call-ID: publish-a", "Call-ID: leg-c")
    for step, upper in LEGS:
        shot = recording.step(step)
        lines = [line for line in shot.payload.decode().split("\r\n") if upper not in line]
        shot.payload = "\r\n".join(lines).encode()
    report = judge(recording.frames())
    assert report.verdict == "pass", [(step.step, step.why) for step in report.steps if step.verdict != "pass"]
    for step in (17, 21, 25, 30):
        assert any("back-to-back agent" in note for note in report.steps[step - 1].notes)
    broken = judge(recording.change(25, ">automatic<", ">manual<").frames())
    assert broken.first_failure == 25
