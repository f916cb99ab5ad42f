"""Twice the input costs twice the work: no header, URI, stream or number of a stranger's makes more of it.

Work is counted in bytecode instructions where the stack runs as plain Python, so that a busy machine changes nothing,
and besides in processor time over a factor that no noise makes up for.
"""

import contextlib
import gc
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from talkburst.sip.defects import defects
from talkburst.sip.framer import StreamFramer, StreamLimits
from talkburst.sip.headers import HeaderError, parse_auth, parse_name_addrs, parse_params, parse_via, split_commas
from talkburst.sip.message import Request
from talkburst.sip.parser import Malformed, parse_message
from talkburst.sip.uri import UriError, parse_uri

HEAD = b"OPTIONS sip:h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nf: <sip:a@h>;tag=1\r\nt: <sip:b@h>\r\ni: 1\r\n"


def message(data: bytes) -> None:
    read = parse_message(HEAD + data)
    if isinstance(read, Malformed):
        read = read.request or Request("OPTIONS", "sip:h")
    defects(read, "uas")
    read.to_bytes()


def stream(data: bytes) -> None:
    StreamFramer(StreamLimits(head=10**7, body=10**7)).feed(data)


def trickle(data: bytes) -> None:
    framer = StreamFramer(StreamLimits(head=10**7, body=10**7))
    for start in range(0, len(data), 4):
        framer.feed(data[start : start + 4])


def header(parse: Callable[[str], object]) -> Callable[[bytes], None]:
    def read(data: bytes) -> None:
        with contextlib.suppress(HeaderError, UriError):
            parse(data.decode("utf-8", "surrogateescape"))

    return read


def equivalence(data: bytes) -> None:
    uri = parse_uri(f"sip:a@h{data.decode()}")
    assert uri.equivalent(parse_uri(str(uri)))


def numbered(pattern: bytes, count: int) -> bytes:
    """`pattern` so often, each with a number of its own in it."""
    return b"".join(pattern.replace(b"#", b"%05d" % number) for number in range(count))


Work = Callable[[bytes], None]
GROWING: dict[str, tuple[Work, Callable[[int], bytes]]] = {
    "header lines": (message, lambda n: numbered(b"X-#: 1\r\n", n) + b"\r\n"),
    "Via lines": (message, lambda n: b"v: SIP/2.0/UDP h;branch=z9hG4bK1\r\n" * n + b"\r\n"),
    "Via elements": (message, lambda n: b"v: a" + b", SIP/2.0/UDP h" * n + b"\r\n\r\n"),
    "Contacts": (message, lambda n: b"m: <sip:a@h>" + b', "a,b" <sip:a@h>;q=1' * n + b"\r\n\r\n"),
    "Routes": (message, lambda n: b"Route: <sip:h;lr>" + b",<sip:h;lr>" * n + b"\r\n\r\n"),
    "folds": (message, lambda n: b"Subject: a\r\n" + b" \r\n" * n + b"\r\n"),
    "Content-Lengths": (message, lambda n: b"l: 0\r\n" * n + b"\r\n"),
    "digits": (message, lambda n: b"CSeq: " + b"9" * 10 * n + b" OPTIONS\r\nl: " + b"0" * 10 * n + b"\r\n\r\n"),
    "blanks": (message, lambda n: b"CSeq:" + b" \t" * 10 * n + b"1 OPTIONS\r\n\r\n"),
    "line breaks": (message, lambda n: b"\n\r" * 10 * n),
    "parameters": (header(parse_params), lambda n: numbered(b";p#=1", n)),
    "quoted parameters": (header(parse_params), lambda n: numbered(b';p#="a;\\"b"', n)),
    "backslashes": (header(parse_params), lambda n: b';a="' + b"\\" * 10 * n + b'"'),
    "escaped quotes": (header(parse_params), lambda n: b';a="' + b'\\"' * 5 * n + b'"'),
    "quotes": (header(split_commas), lambda n: b'"' * 10 * n + b","),
    "commas": (header(split_commas), lambda n: b",<" * n),
    "brackets": (header(parse_name_addrs), lambda n: b"<" * 10 * n + b">" * 10 * n),
    "display names": (header(parse_name_addrs), lambda n: b"a " * n + b"<sip:h>"),
    "credentials": (header(parse_auth), lambda n: b"Digest a=1" + numbered(b', p#="1"', n)),
    "sent-by": (header(parse_via), lambda n: b"SIP/2.0/UDP " + b"a" * 10 * n + b" : 5060"),
    "slashes": (header(parse_via), lambda n: b"SIP" + b" /" * 5 * n),
    "URI parameters": (header(parse_uri), lambda n: b"sip:h" + numbered(b";p#=1", n)),
    "URI colons": (header(parse_uri), lambda n: b"sip:" + b":@" * 5 * n),
    "URI escapes": (equivalence, lambda n: numbered(b";p#=%41", n)),
    "URI headers": (equivalence, lambda n: b"?a=1" + numbered(b"&p#=%41", n)),
    "messages on a stream": (stream, lambda n: (HEAD + b"CSeq: 1 OPTIONS\r\nl: 2\r\n\r\n\r\n") * (n // 8)),
    "keep-alives": (stream, lambda n: b"\r\n" * n),
    "a head in small pieces": (trickle, lambda n: HEAD + b"a" * 10 * n),
    "a body in small pieces": (trickle, lambda n: HEAD + b"l: 100000\r\n\r\n" + b"a" * 10 * n),
}


def instructions(work: Work, data: bytes) -> int:
    """How many bytecode instructions a piece of work is; what the garbage collector calls is none of it."""
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        count += event == "opcode"
        return trace

    before, collecting = sys.gettrace(), gc.isenabled()
    gc.disable()
    sys.settrace(trace)
    try:
        work(data)
    finally:
        sys.settrace(before)
        if collecting:
            gc.enable()
    return count


@pytest.mark.parametrize("name", GROWING)
def test_twice_the_input_is_not_more_than_twice_the_instructions(name: str) -> None:
    work, grown = GROWING[name]
    instructions(work, grown(192))  # Python 3.12 and later count the instructions of a function from its second run on
    once, twice = instructions(work, grown(96)), instructions(work, grown(192))
    assert twice <= 2.05 * once + 50, f"{once} instructions, then {twice}"


def processor_time(work: Work, data: bytes) -> float:
    """Seconds of the least disturbed of three runs."""
    spent = []
    for _ in range(3):
        before = time.process_time()
        work(data)
        spent.append(time.process_time() - before)
    return min(spent)


@pytest.mark.parametrize("name", GROWING)
def test_sixteen_times_the_input_is_nowhere_near_its_square_in_processor_time(name: str) -> None:
    """What the interpreter does inside one instruction counts here; the square would be 256 times the time."""
    work, grown = GROWING[name]
    size = 256
    while (once := processor_time(work, grown(size))) < 0.001 and size < 16_384:
        size *= 2
    assert processor_time(work, grown(16 * size)) < 64 * max(once, 0.0002)
