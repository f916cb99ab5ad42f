"""What the fuzzer throws bytes at: each function takes any bytes, and what it raises is a fault of ours.

No function here knows the fuzzer; `test_corpus.py` runs them on what is kept, on every Python.
"""

import itertools
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise

from talkburst.sip.defects import defects
from talkburst.sip.digest.client import DigestClient, is_supported
from talkburst.sip.digest.verifier import DigestVerifier, Verdict
from talkburst.sip.engine import Engine, Send
from talkburst.sip.flow import Flow, Listener
from talkburst.sip.framer import KeepAlive, StreamFramer, StreamLimits
from talkburst.sip.headers import (
    HeaderError,
    parse_auth,
    parse_content_type,
    parse_cseq,
    parse_event,
    parse_name_addr,
    parse_subscription_state,
    parse_via,
)
from talkburst.sip.message import Message, Request, Response, response_to
from talkburst.sip.parser import Malformed, parse_message
from talkburst.sip.stun import answer, is_stun
from talkburst.sip.transaction.server import ServerTransaction
from talkburst.sip.uri import UriError, parse_uri

OURS, PEER = ("192.0.2.1", 5060), ("192.0.2.9", 5070)
TYPED = ["from_", "to", "call_id", "cseq", "via", "vias", "contacts", "contact_is_wildcard", "routes", "record_routes"]
TYPED += ["event", "subscription_state", "expires", "max_forwards", "content_type"]
SMALL = StreamLimits(head=2000, body=500)


def text_of(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def message(data: bytes) -> None:
    """One datagram: parsed, judged, every typed header read, written and read again."""
    read = parse_message(data)
    if isinstance(read, Malformed):
        assert 400 <= read.status < 700
        assert read.text
        if read.request is not None:
            response_to(read.request, read.status, to_tag="t").to_bytes()
        return
    for name in TYPED:
        with suppress(HeaderError):
            getattr(read, name)
    for role in ("uas", "proxy", "uac"):
        assert all(400 <= defect.status < 700 for defect in defects(read, role))
    written = read.to_bytes()
    again = parse_message(written)
    assert isinstance(again, Message), again
    assert again.to_bytes() == written
    assert [line for line in again.header_lines() if line[0].lower() not in ("content-length", "l")] == [
        line for line in read.header_lines() if line[0].lower() not in ("content-length", "l")
    ]
    assert again.body == read.body


def stream(data: bytes) -> None:
    """One connection: in one piece, and in pieces as long as the first byte says."""
    whole, cut = StreamFramer(SMALL), StreamFramer(SMALL)
    step = (data[0] if data else 0) % 64 + 1
    ends = [*range(0, len(data), step), len(data)]
    one = _framed(whole.feed(data))
    pieces = [item for start, end in pairwise(ends) for item in cut.feed(data[start:end])]
    assert one == _framed(pieces)
    assert (whole.broken, whole.unfinished) == (cut.broken, cut.unfinished)
    assert len(whole._buffer) <= SMALL.head + 4 + SMALL.body
    for item in one:
        if isinstance(item, bytes):
            message(item)


def _framed(items: list[bytes | KeepAlive | Malformed]) -> list[object]:
    """Without keep-alives: a ping in two halves is taken for a pong first."""
    return [
        (item.status, item.text, item.request is None) if isinstance(item, Malformed) else item
        for item in items
        if not isinstance(item, KeepAlive)
    ]


HEADERS: list[Callable[[str], object]] = [
    parse_name_addr,
    parse_via,
    parse_cseq,
    parse_event,
    parse_subscription_state,
    parse_content_type,
    parse_auth,
]


def header(data: bytes) -> None:
    """One header value, by every typed header: what is read can be written, and is the same when it is read again."""
    text = text_of(data)
    for parse in HEADERS:
        try:
            value = parse(text)
        except HeaderError:
            continue
        assert parse(str(value)) == value, f"{value} of {text!r}"


def uri(data: bytes) -> None:
    """Two URIs with a line break between them, or one and itself: read, written, compared, filed."""
    one_text, _, other_text = text_of(data).partition("\n")
    try:
        one = parse_uri(one_text)
        other = parse_uri(other_text or one_text)
    except UriError:
        return
    for each in (one, other):
        assert parse_uri(str(each)) == each
        assert each.equivalent(each)
        filed = parse_uri(each.addr_of_record())
        assert filed.addr_of_record() == each.addr_of_record()
    assert one.equivalent(other) is other.equivalent(one)
    if one.equivalent(other):
        assert one.addr_of_record() == other.addr_of_record()


def digest(data: bytes) -> None:
    """A challenge or credentials: answered and judged. Nobody gets in without the password."""
    try:
        auth = parse_auth(text_of(data))
    except HeaderError:
        return
    verifier = DigestVerifier(b"key of the fuzzer")
    nonce = verifier.issue("alice@ims.example", 1000.0)
    for short in (False, True):
        verdict = verifier.verify(auth, "REGISTER", "secret", 1001.0, short_count=short)
        assert verdict is not Verdict.OK
    if is_supported(auth):
        client = DigestClient("alice@ims.example", "secret")
        answer = client.authorization([auth], "REGISTER", "sip:ims.example", b"", lambda: "cnonce")
        assert answer is not None
        assert parse_auth(str(answer)) == answer
        # The same challenge with a nonce of ours: the answer is right, once.
        auth.params["nonce"] = nonce
        answer = client.authorization([auth], "REGISTER", "sip:ims.example", b"", lambda: "cnonce")
        assert answer is not None
        if auth.params["realm"]:
            assert verifier.verify(answer, "REGISTER", "secret", 1001.0) is Verdict.OK, str(answer)
            assert verifier.verify(answer, "REGISTER", "secret", 1001.0) is Verdict.STALE


class _Answering:
    """Answers each request 200."""

    engine: Engine

    def on_request(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        self.engine.respond(transaction, response_to(request, 200, to_tag=transaction.to_tag), now)

    def on_ack(self, request: Request, flow: Flow, now: float) -> None:
        pass

    def on_cancel(self, transaction: ServerTransaction, now: float) -> None:
        pass


SEPARATOR = b"\n--\n"
OPTIONS = [("From", "<sip:a@x>;tag=1"), ("To", "<sip:b@x>"), ("Call-ID", "1"), ("CSeq", "1 OPTIONS")]


def engine(data: bytes) -> None:
    """Datagrams with a line ``--`` between them, to an engine that waits for an answer itself (branch z9hG4bKt1)."""
    user, numbers = _Answering(), itertools.count(1)
    engine = user.engine = Engine(user, token=lambda: f"t{next(numbers)}", software="talkburst/fuzz")
    engine.add_listener(Listener("main", "UDP", *OURS, advertised=OURS))
    outcomes: list[object] = []
    engine.send_request(
        Request("OPTIONS", "sip:192.0.2.9", OPTIONS), lambda outcome, now: outcomes.append(outcome), 0.0
    )
    engine.take()
    now = 0.0
    for datagram in data.split(SEPARATOR)[:8]:
        engine.receive(datagram, Flow("UDP", OURS, PEER, listener="main"), now)
        sent = [action for action in engine.take() if isinstance(action, Send)]
        assert len(sent) <= 1
        assert all(isinstance(send.message, Response) and send.flow.remote[0] == PEER[0] for send in sent)
        now += 0.1
    while (deadline := engine.next_deadline()) is not None:
        assert deadline >= now or now < 1
        assert deadline < 200
        now = max(now, deadline)
        engine.handle_timer(now)
        engine.take()
    assert not engine.servers
    assert not engine.clients
    assert sum(1 for outcome in outcomes if not (isinstance(outcome, Response) and outcome.status < 200)) == 1


def stun(data: bytes) -> None:
    """A datagram on a UDP port that may be a keep-alive; what answers it is no larger than that has to be."""
    if not is_stun(data):
        return
    told = answer(data, PEER)
    if told is not None:
        assert is_stun(told)
        assert len(told) <= len(data) + 24
        assert answer(told, PEER) is None


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target for target in (message, stream, header, uri, digest, engine, stun)
}
