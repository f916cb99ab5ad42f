"""Log lines."""

import io
import logging
import re
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from talkburst.daemon.log import Log, configure, field_text


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Broken(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("talkburst")
    handlers, level, our_level = root.handlers[:], root.level, ours.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    ours.setLevel(our_level)


def test_a_line_has_time_level_daemon_message_and_fields() -> None:
    stream = io.StringIO()
    configure("info", stream, "core")
    Log("core").info("no third-party REGISTER", reason="Contact has no +g.poc.talkburst", call_id="a1@b", left_out=None)
    stamp, line = stream.getvalue().split(" ", 1)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", stamp)
    assert line == ('info    core: no third-party REGISTER reason="Contact has no +g.poc.talkburst" call_id=a1@b\n')


def test_parts_and_libraries_stand_under_the_daemon() -> None:
    stream = io.StringIO()
    configure("info", stream, "core")
    Log("sip").warning("w")
    logging.getLogger("aiohttp.server").error("e")
    logging.getLogger("aiohttp.server").info("of no interest")
    assert [line.split(" ", 1)[1] for line in stream.getvalue().splitlines()] == [
        "warning core.sip: w",
        "error   core.aiohttp.server: e",
    ]


def test_the_level_decides_and_a_decision_is_info() -> None:
    for level, lines in (("debug", 4), ("info", 3), ("warning", 2), ("error", 1)):
        stream = io.StringIO()
        configure(level, stream)
        log = Log("core")
        log.debug("d")
        log.decide("decided", {"why": "because"})
        log.warning("w")
        log.error("e")
        assert len(stream.getvalue().splitlines()) == lines


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        ("<sip:a@b;lr>", "<sip:a@b;lr>"),
        ("two words", '"two words"'),
        ('a"b', '"a\\"b"'),
        ("a=b", '"a=b"'),
        ("", '""'),
        ("line\r\nlevel=error", '"line\\r\\nlevel=error"'),
        ("\x1b[2J", '"\\u001b[2J"'),
        ("Zoë", '"Zoë"'),
        (True, "true"),
        (5, "5"),
        (0.5, "0.5"),
        (1 / 3, "0.333333"),
        (["a", "b"], "a,b"),
        (SecretStr("x"), "**********"),
    ],
)
def test_a_value_is_quoted_where_it_must_be(value: object, text: str) -> None:
    assert field_text(value) == text


def test_what_a_peer_sent_can_not_forge_a_line_or_reach_the_terminal() -> None:
    stream = io.StringIO()
    configure("info", stream)
    Log("core").info("refused \x1b[31m\nforged", reason="\nforged \u2028")
    assert stream.getvalue().count("\n") == 1
    assert "\x1b" not in stream.getvalue()


def test_a_percent_sign_is_only_a_percent_sign() -> None:
    stream = io.StringIO()
    configure("info", stream)
    Log("core").info("100 %s %d")
    assert "100 %s %d" in stream.getvalue()


@pytest.mark.parametrize("key", ["password", "xcap_password", "Authorization", "nonce_key", "ha1", "secret"])
def test_secrets_are_not_shown_even_when_somebody_logs_them(key: str) -> None:
    stream = io.StringIO()
    configure("info", stream)
    Log("core").info("m", **{key: "hunter2"})
    assert f"{key}=***" in stream.getvalue()
    assert "hunter2" not in stream.getvalue()


def test_a_field_may_have_any_name() -> None:
    stream = io.StringIO()
    configure("info", stream)
    Log("core").info("m", message="a", level="b", self="c", name="d")
    assert stream.getvalue().endswith("core: m message=a level=b self=c name=d\n")


def test_colour_is_for_terminals() -> None:
    terminal, pipe = Terminal(), io.StringIO()
    configure("info", terminal)
    Log("core").error("e")
    configure("info", pipe)
    Log("core").error("e")
    assert "\x1b[31m" in terminal.getvalue()
    assert "\x1b" not in pipe.getvalue()


def test_a_fault_of_ours_comes_with_its_traceback() -> None:
    stream = io.StringIO()
    configure("info", stream)
    try:
        raise KeyError("k")
    except KeyError as error:
        Log("core").exception("fault", error, call_id="1")
    first, second, *_ = stream.getvalue().splitlines()
    assert first.endswith("core: fault call_id=1")
    assert second == "Traceback (most recent call last):"


@pytest.mark.parametrize("closed", [False, True])
def test_a_reader_that_went_away_is_no_trouble(closed: bool, capsys: pytest.CaptureFixture[str]) -> None:
    stream = Broken()
    configure("info", stream)
    if closed:
        stream.close()
    Log("core").info("nobody reads this")
    assert capsys.readouterr().err == ""
