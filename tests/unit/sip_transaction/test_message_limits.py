"""Messages whose headers hold too much: refused before anybody looks at them (RFC 3261 21.5.7)."""

import pytest

from talkburst.sip.message_limits import MessageLimits

HEAD = """\
OPTIONS sip:b@x SIP/2.0
Via: SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bK1;rport
From: <sip:a@x>;tag=1
To: <sip:b@x>
Call-ID: c1
CSeq: 1 OPTIONS
"""
OWN_REQUEST = """\
OPTIONS sip:192.0.2.9:5070 SIP/2.0
From: <sip:a@x>;tag=1
To: <sip:b@x>
Call-ID: c1
CSeq: 1 OPTIONS
"""
VIA = "SIP/2.0/UDP h;branch=z9hG4bK9"


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        pytest.param("X: y\n" * 252, "more than 256 header fields", id="fields"),
        pytest.param("X: " + "y" * 8192 + "\n", "a header field of more than 8192 bytes", id="value"),
        pytest.param("X" * 8192 + ": y\n", "a header field of more than 8192 bytes", id="name"),
        pytest.param(f"v: {VIA}\n" * 70, "more than 70 entries of Via", id="Via lines"),
        pytest.param("v: " + ", ".join([VIA] * 70) + "\n", "more than 70 entries of Via", id="Vias in one line"),
        pytest.param("Route: " + ",".join(["<sip:h;lr>"] * 71) + "\n", "more than 70 entries of Route", id="Route"),
        pytest.param("Record-Route: <sip:h;lr>\n" * 71, "more than 70 entries of Record-Route", id="Record-Route"),
        pytest.param("Path: <sip:h;lr>\n" * 71, "more than 70 entries of Path", id="Path"),
    ],
)
def test_a_header_bomb_is_refused_and_reaches_nobody(make_bench, more: str, reason: str) -> None:
    bench = make_bench()
    assert bench.receive(HEAD + more) == [f"SIP/2.0 513 Message Too Large: {reason}"]
    assert bench.user.requests == []
    assert bench.engine.counters["too_large"] == 1
    assert not bench.engine.servers


@pytest.mark.parametrize(
    "more",
    [
        pytest.param("X: y\n" * 251, id="fields"),
        pytest.param("X: " + "y" * 8192, id="value"),
        pytest.param("X: y\n" * 249 + "X: " + "y" * 8000, id="both"),
        pytest.param("Subject: " + "," * 300, id="commas that separate nothing"),
        pytest.param(f"v: {VIA}\n" * 69, id="Via"),
        pytest.param("Route: " + ",".join(["<sip:h;lr>"] * 70), id="Route"),
    ],
)
def test_as_much_as_is_allowed_is_taken(make_bench, more: str) -> None:
    limits = MessageLimits(fields=257, field=8193)
    bench = make_bench()
    bench.engine.message_limits = limits
    bench.receive(HEAD + more)
    assert len(bench.user.requests) == 1


def test_a_response_that_has_too_much_is_dropped(make_bench) -> None:
    bench = make_bench()
    bench.send(OWN_REQUEST)
    bench.receive(bench.answer_to_last("200 OK") + "\nX: y" * 256)
    assert bench.outcomes == []
    assert bench.engine.counters["too_large"] == 1
    bench.receive(bench.answer_to_last("200 OK"))
    assert len(bench.outcomes) == 1


def test_limits_below_the_usual_size_of_a_message_hold_too(make_bench) -> None:
    bench = make_bench()
    bench.engine.message_limits = MessageLimits(fields=5)
    assert bench.receive(HEAD + "X: y") == ["SIP/2.0 513 Message Too Large: more than 5 header fields"]
    assert bench.receive(HEAD) == []
