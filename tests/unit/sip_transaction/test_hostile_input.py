"""Whatever bytes come, `receive` raises nothing and the engine goes on."""

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

REGISTER = (
    b"REGISTER sip:ims.example SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bK%d;rport\r\n"
    b"Max-Forwards: 70\r\n"
    b"From: <sip:alice@ims.example>;tag=a1\r\n"
    b"To: <sip:alice@ims.example>\r\n"
    b"Call-ID: reg-1@192.0.2.9\r\n"
    b"CSeq: %d REGISTER\r\n"
    b"Content-Length: 0\r\n\r\n"
)
RESPONSE = (
    b"SIP/2.0 200 OK\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKtoken1;rport\r\n"
    b"From: <sip:alice@ims.example>;tag=a1\r\n"
    b"To: <sip:bob@ims.example>;tag=b\r\n"
    b"Call-ID: opt-1\r\n"
    b"CSeq: 1 OPTIONS\r\n"
    b"Content-Length: 0\r\n\r\n"
)
OPTIONS = """
    OPTIONS sip:192.0.2.9:5070 SIP/2.0
    From: <sip:alice@ims.example>;tag=a1
    To: <sip:bob@ims.example>
    Call-ID: opt-1
    CSeq: 1 OPTIONS
"""
METHODS = st.sampled_from([b"REGISTER", b"INVITE", b"ACK", b"CANCEL", b"NOTIFY", b"\xc3\xa9"])


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A message of ours with some stretches replaced by noise."""
    data = draw(st.sampled_from([REGISTER % (1, 1), RESPONSE])).replace(b"REGISTER", draw(METHODS))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + 20)))
        noise = draw(
            st.one_of(st.binary(max_size=12), st.sampled_from([b"", b"\r\n", b"\r\n\r\n", b";", b"<", b'"', b":"]))
        )
        data = data[:start] + noise + data[end:]
    return data


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(datagrams=st.lists(st.one_of(damaged(), st.binary(max_size=200)), min_size=1, max_size=4))
@example(datagrams=[REGISTER.replace(b"70;b", b"99999;b") % (1, 1)])
@example(datagrams=[REGISTER % (1, 99999999999999999999)])
@example(datagrams=[(REGISTER % (1, 1)).replace(b"192.0.2.9:5070", b"\xff\xfe")])
def test_no_datagram_raises_or_disturbs_a_transaction_under_way(make_bench, datagrams: list[bytes]) -> None:
    bench = make_bench()
    for datagram in datagrams:
        bench.engine.receive(datagram, bench.flow, bench.now)
        bench.advance(0.1)
    bench.send(OPTIONS)
    answer = bench.answer_to_last("200 OK")
    for datagram in datagrams:
        bench.engine.receive(datagram, bench.flow, bench.now)
    bench.advance(1)
    bench.receive(answer)
    assert bench.results()[-1] == 200
    bench.advance(200)
    assert not bench.engine.clients
