"""Bytes to messages, and what becomes of bytes that are none."""

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from talkburst.sip import Malformed, Request, Response, is_keepalive, parse_message, response_to
from talkburst.sip.defects import defects

HEADERS = (
    b"Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n"
)


def request(start=b"OPTIONS sip:h SIP/2.0\r\n", more=b"", body=b""):
    return start + HEADERS + more + b"\r\n" + body


def parsed(data: bytes) -> Request:
    message = parse_message(data)
    assert isinstance(message, Request)
    return message


def refused(data: bytes) -> Malformed:
    message = parse_message(data)
    assert isinstance(message, Malformed)
    return message


def test_request_line_comes_apart():
    message = parsed(request(b"RE%47IST%45R sip:h;x?y SIP/2.0\r\n"))
    assert (message.method, message.uri, message.version) == ("RE%47IST%45R", "sip:h;x?y", "SIP/2.0")


def test_status_line_comes_apart():
    message = parse_message(b"SIP/2.0 200 = 2**3 * 5**2 \xd0\xbd\xd0\xbe\r\n" + HEADERS + b"\r\n")
    assert isinstance(message, Response)
    assert (message.status, message.reason) == (200, "= 2**3 * 5**2 но")


@pytest.mark.parametrize("line", [b"SIP/2.0 100 ", b"SIP/2.0 100", b"sip/2.0 100 "])
def test_reason_phrase_may_be_empty(line):
    message = parse_message(line + b"\r\n" + HEADERS + b"\r\n")
    assert isinstance(message, Response)
    assert message.start_line == "SIP/2.0 100 "


def test_line_breaks_before_the_start_line_are_skipped():
    assert parsed(b"\r\n\r\n" + request()).method == "OPTIONS"


def test_body_goes_to_the_end_without_content_length():
    assert parsed(request(body=b"a\r\n\r\nb\x00")).body == b"a\r\n\r\nb\x00"


def test_bytes_after_the_body_are_dropped():
    assert parsed(request(more=b"l: 3\r\n", body=b"bodyINVITE sip:next SIP/2.0\r\n\r\n")).body == b"bod"


@pytest.mark.parametrize(
    "more",
    [
        b"Content-Length: 9999\r\n",
        b"Content-Length: -999\r\n",
        b"Content-Length: 1\r\nl: 2\r\n",
        b"Content-Length:\r\n",
        b"Content-Length: 99999999999999999999\r\n",
        b"no header here\r\n",
        b"bad name: x\r\n",
        b": x\r\n",
        b"Subject\r\n",
        b"Subject: a\nb\r\n",
        b"Subject: a\rb\r\n",
    ],
)
def test_request_that_cannot_be_taken_apart_can_be_answered_400(more):
    malformed = refused(request(more=more, body=b"four"))
    assert malformed.status == 400
    assert malformed.request is not None
    answer = response_to(malformed.request, malformed.status, to_tag="2")
    assert answer.to_bytes().startswith(b"SIP/2.0 400 Bad Request\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom:")


@pytest.mark.parametrize(
    "line",
    [
        b"OPTIONS sip:h  SIP/2.0",
        b"OPTIONS  sip:h SIP/2.0",
        b"OPTIONS sip:h SIP/2.0  ",
        b"OPTIONS sip:h; lr SIP/2.0",
        b"OPTIONS sip:h\tx SIP/2.0",
        b"OPTIONS sip:h",
        b"OPTIONS",
        b"OPTIONS sip:h HTTP/1.1",
        b"OPTIONS sip:h SIP/x.0",
        b"OP(TIONS sip:h SIP/2.0",
    ],
)
def test_broken_request_line_can_be_answered_400(line):
    malformed = refused(request(line + b"\r\n"))
    assert (malformed.status, malformed.request is None) == (400, False)


def test_missing_empty_line_is_a_fault():
    assert refused(request()[:-2]).request is not None


@pytest.mark.parametrize("name", [b"Via", b"From", b"To", b"Call-ID", b"CSeq"])
def test_what_cannot_be_answered_carries_no_request(name):
    lines = [line for line in request(more=b"broken\r\n").split(b"\r\n") if not line.startswith(name + b":")]
    assert refused(b"\r\n".join(lines)).request is None


def test_unreadable_via_or_cseq_cannot_be_answered():
    assert refused(request(more=b"broken\r\n").replace(b"SIP/2.0/UDP h", b"nonsense")).request is None
    assert refused(request(more=b"broken\r\n").replace(b"1 OPTIONS", b"nonsense")).request is None


@pytest.mark.parametrize(
    "line",
    [
        b"SIP/2.0 4294967301 better not break the receiver",
        b"SIP/2.0 99 x",
        b"SIP/2.0 700 x",
        b"SIP/2.0 2x0 x",
        b"SIP/x 200 OK",
    ],
)
def test_broken_response_can_only_be_dropped(line):
    assert refused(line + b"\r\n" + HEADERS + b"\r\n").request is None
    assert refused(b"SIP/2.0 200 OK\r\n" + HEADERS + b"l: 9\r\n\r\n").request is None


@pytest.mark.parametrize("blank", [b" ", b"\t"])
@pytest.mark.parametrize("line", [b"Subject: a\r\n b", b"Subject:\r\n\tb", b"Via: SIP/2.0/UDP i,\r\n SIP/2.0/UDP j"])
def test_line_that_goes_on_with_the_start_line_is_no_header(blank, line):
    fault = refused(request(b"OPTIONS sip:h SIP/2.0\r\n" + blank + line + b"\r\n"))
    assert (fault.status, "is no header" in fault.text) == (400, True)
    assert fault.request is not None
    assert fault.request.values("Via") == ["SIP/2.0/UDP h;branch=z9hG4bK1"]


def test_folded_header_is_one_value_and_keeps_its_bytes():
    data = request(more=b"Subject: a\r\n  b\r\n\t \r\n c\r\nContent-Length: 0\r\n")
    message = parsed(data)
    assert message.get("Subject") == "a b  c"
    assert message.to_bytes() == data


def test_header_name_may_have_blanks_before_its_colon_and_odd_characters():
    message = parsed(request(more=b"Subject \t :x\r\nextensionHeader-!.%*+_`'~:\xef\xbb\xbf\r\n"))
    assert message.get("s") == "x"
    assert message.get("EXTENSIONHEADER-!.%*+_`'~") == "\ufeff"


def test_version_of_another_sip_is_left_to_be_judged():
    message = parsed(request(b"OPTIONS sip:h SIP/7.0\r\n"))
    assert message.version == "SIP/7.0"
    assert message.start_line == "OPTIONS sip:h SIP/7.0"


@pytest.mark.parametrize("data", [b"", b"\r\n\r\n", b"\x00\x00\x00\x00", b"\r\n", b"\n"])
def test_nothing_but_line_breaks_and_nuls_is_a_keep_alive(data):
    assert is_keepalive(data)
    assert isinstance(parse_message(data), Malformed)


def test_a_message_is_no_keep_alive():
    assert not is_keepalive(b"\r\n\r\nOPTIONS")


@pytest.mark.parametrize(
    ("more", "start"),
    [
        (b"Subject: x" + b"\r\n a" * 15000, b"sip:h"),
        (b"Contact: " + b'"",' * 20000, b"sip:h"),
        (b"Contact: " + b'\\"' * 30000, b"sip:h"),
        (b"Contact: <sip:h>" + b';a=""' * 12000, b"sip:h"),
        (b"Content-Length: " + b"9" * 60000, b"sip:h"),
        (b"", b"tel:+" + b"1" * 60000 + b"x"),
        (b"", b"sip:" + b"%41" * 20000 + b"@h"),
    ],
)
def test_a_datagram_made_to_be_slow_is_not(more, start):
    """Each is of a kind that takes seconds to minutes where a reader is quadratic."""
    message = parse_message(request(b"OPTIONS " + start + b" SIP/2.0\r\n", more + b"\r\n" if more else b""))
    if isinstance(message, Request):
        defects(message, "uas")


LINES = st.lists(
    st.one_of(
        st.sampled_from(HEADERS.split(b"\r\n")),
        st.sampled_from([b"l: 3", b"Content-Length: -1", b" folded", b"m: *", b"Expires: 0", b"Event: reg;id"]),
        st.binary(max_size=40),
    ),
    max_size=14,
)
STARTS = st.one_of(
    st.sampled_from([b"OPTIONS sip:h SIP/2.0", b"SIP/2.0 200 OK", b"REGISTER <sip:h> SIP/2.0", b"X x: SIP/3.0"]),
    st.binary(max_size=40),
)
MESSAGES = st.builds(lambda start, lines, body: b"\r\n".join([start, *lines, b"", body]), STARTS, LINES, st.binary())


@settings(max_examples=100)
@given(st.one_of(st.binary(), MESSAGES))
@example(b"SIP/2.0 200\r\n\r\n")
@example(b"\xff\r\n: :\r\n\r\n")
def test_parsing_never_raises_and_what_is_written_is_read_as_the_same(data):
    message = parse_message(data)
    if isinstance(message, Malformed):
        if message.request is not None:
            response_to(message.request, message.status, to_tag="t").to_bytes()
        return
    assert parse_message(message.to_bytes()) == message
    for role in ("uas", "proxy", "uac"):
        defects(message, role)


@settings(max_examples=100)
@given(LINES, st.binary())
def test_untouched_headers_survive_byte_for_byte(lines, body):
    head = b"\r\n".join([b"OPTIONS sip:h SIP/2.0", b"Content-Length: %d" % len(body), *lines]) + b"\r\n"
    assume(b"\r\n\r\n" not in head)
    data = head + b"\r\n" + body
    message = parse_message(data)
    if isinstance(message, Request) and message.keys().count("content-length") == 1:
        assert message.to_bytes() == data
