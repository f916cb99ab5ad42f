"""Structured logs on standard error: one line per decision, with its reason.

    2025-11-22T11:42:01.123Z info    core: no third-party REGISTER reason="Contact has no +g.poc.talkburst" call_id=a1

Time is UTC. Values are quoted when they hold anything but plain characters, so that what a peer sent can neither
break a line nor reach the terminal as a control sequence. Secrets are never shown.
"""

import json
import logging
import re
import sys
import time
from collections.abc import Mapping
from typing import Final, TextIO

LEVELS: Final = ("debug", "info", "warning", "error")

_ROOT: Final = "talkburst"
_PLAIN = re.compile(r"[!#-<>-\[\]-~]+")  # printable ASCII but for space, quotation mark, "=" and backslash
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_SECRET = re.compile(r"password|passwd|secret|authorization|nonce_key|\bha1\b", re.IGNORECASE)
_COLOURS: Final = {"debug": "\x1b[2m", "info": "", "warning": "\x1b[33m", "error": "\x1b[31m", "critical": "\x1b[31m"}
_RESET: Final = "\x1b[0m"


class Log:
    """The log of one daemon, or of one part of it. Field order is kept; a field that is None is left out."""

    __slots__ = ("_logger",)

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(f"{_ROOT}.{name}")

    def debug(self, message: str, /, **fields: object) -> None:
        self._write(logging.DEBUG, message, fields)

    def info(self, message: str, /, **fields: object) -> None:
        self._write(logging.INFO, message, fields)

    def warning(self, message: str, /, **fields: object) -> None:
        self._write(logging.WARNING, message, fields)

    def error(self, message: str, /, **fields: object) -> None:
        self._write(logging.ERROR, message, fields)

    def exception(self, message: str, error: BaseException, /, **fields: object) -> None:
        """A fault of our own: the line, then the traceback."""
        info = (type(error), error, error.__traceback__)
        self._logger.error("%s", message, exc_info=info, extra={"fields": fields})

    def decide(self, message: str, fields: Mapping[str, object]) -> None:
        """The `decide` callable that sans-IO code is given: a decision and its reason, at level info."""
        self._write(logging.INFO, message, fields)

    def _write(self, level: int, message: str, fields: Mapping[str, object]) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, "%s", message, extra={"fields": fields})


def field_text(value: object) -> str:
    """A value as it stands behind "key=": true and false in lower case, text quoted where it must be."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6f}".rstrip("0").rstrip(".")
    if isinstance(value, (list, tuple, set, frozenset)):
        value = ",".join(str(item) for item in value)
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=bool(_CONTROL.search(text)))


class LineFormatter(logging.Formatter):
    """One record, one line; a traceback, where there is one, on the lines after."""

    def __init__(self, daemon: str = "", colour: bool = False) -> None:
        super().__init__()
        self.daemon = daemon
        self.colour = colour

    def format(self, record: logging.LogRecord) -> str:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        level = record.levelname.lower()
        message = _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), record.getMessage())
        fields: Mapping[str, object] = getattr(record, "fields", {})
        shown = "".join(
            f" {key}={'***' if _SECRET.search(key) else field_text(value)}"
            for key, value in fields.items()
            if value is not None
        )
        line = f"{stamp}.{int(record.msecs):03d}Z {level:<7} {self._name(record)}: {message}{shown}"
        if self.colour and (start := _COLOURS.get(level)):
            line = f"{start}{line}{_RESET}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line

    def _name(self, record: logging.LogRecord) -> str:
        """ "core" for the daemon itself, "core.sip" for a part of it or a library in it."""
        name = record.name.removeprefix(f"{_ROOT}.")
        return name if name == self.daemon or not self.daemon else f"{self.daemon}.{name}"


class LineHandler(logging.StreamHandler[TextIO]):
    """Writes to a stream and goes on when nobody reads it any more."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is the standard library's
        if not isinstance(sys.exc_info()[1], (OSError, ValueError)):  # ValueError: the stream has been closed
            super().handleError(record)


def configure(level: str = "info", stream: TextIO | None = None, daemon: str = "") -> None:
    """Send every log line of this process to `stream` (standard error), from `level` up (one of `LEVELS`)."""
    stream = sys.stderr if stream is None else stream
    handler = LineHandler(stream)
    handler.setFormatter(LineFormatter(daemon, colour=stream.isatty()))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)  # libraries: only what is wrong
    logging.getLogger(_ROOT).setLevel(level.upper())
