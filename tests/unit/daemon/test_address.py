"""Addresses as a user writes them."""

import pytest

from talkburst.daemon.address import Listen, advertised, parse_endpoint, parse_host_port, parse_listen, show_host_port


@pytest.mark.parametrize(
    ("text", "listen"),
    [
        ("udp:127.0.0.1:5060", Listen("udp", "127.0.0.1", 5060)),
        ("tcp:127.0.0.1:0", Listen("tcp", "127.0.0.1", 0)),
        ("udp:[::1]:5060", Listen("udp", "::1", 5060)),
        ("udp:core.example:5060", Listen("udp", "core.example", 5060)),
        ("fd:7", Listen("", "", 0, 7)),
        ("udp:fd:7", Listen("udp", "", 0, 7)),
        ("tls:127.0.0.1:5071", Listen("tls", "127.0.0.1", 5071)),
        ("tls:[::1]", Listen("tls", "::1", 5061)),
        ("tls:fd:7", Listen("tls", "", 0, 7)),
    ],
)
def test_a_listen_entry_is_read(text: str, listen: Listen) -> None:
    assert parse_listen(text) == listen


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "must be udp:HOST:PORT"),
        ("127.0.0.1:5060", "must be udp:HOST:PORT"),
        ("sctp:127.0.0.1:5060", "must be udp:HOST:PORT, tcp:HOST:PORT, tls:HOST:PORT or fd:N"),
        ("tls:127.0.0.1:65536", "port 65536 is out of range"),
        ("tls:::1", "an IPv6 address in brackets"),
        ("udp:127.0.0.1", "has no port; write udp:127.0.0.1:PORT"),
        ("udp:127.0.0.1:65536", "port 65536 is out of range"),
        ("udp:127.0.0.1:x", "must be HOST or HOST:PORT"),
        ("udp:::1:5060", "an IPv6 address in brackets"),
        ("udp:[::1:5060", "an IPv6 address in brackets"),
        ("udp:[1:2]:5060", "1:2 is not an IPv6 address"),
        ("udp:127.0.0.256:5060", "127.0.0.256 is not an IPv4 address"),
        ("fd:", "must be udp:HOST:PORT"),
        ("udp:fd:x", "must be HOST or HOST:PORT"),
    ],
)
def test_a_wrong_listen_entry_says_what_would_be_right(text: str, said: str) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - the text is compared below
        parse_listen(text)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("text", "wildcard"), [("udp:0.0.0.0:1", True), ("udp:[::]:1", True), ("udp:127.0.0.1:1", False), ("fd:3", False)]
)
def test_a_wildcard_is_known(text: str, wildcard: bool) -> None:
    assert parse_listen(text).is_wildcard is wildcard


def test_host_and_port_come_apart_and_together() -> None:
    assert parse_host_port("poc.ims.example") == ("poc.ims.example", None)
    assert parse_host_port("[2001:db8::1]:5070") == ("2001:db8::1", 5070)
    assert show_host_port("2001:db8::1", 5070) == "[2001:db8::1]:5070"
    assert show_host_port("127.0.0.1", 5070) == "127.0.0.1:5070"
    assert parse_endpoint("tcp:localhost:9060") == ("tcp", "localhost", 9060)


@pytest.mark.parametrize(
    ("text", "listen", "told"),
    [
        ("", "udp:127.0.0.1:5060", None),
        ("192.0.2.1", "udp:0.0.0.0:5060", ("192.0.2.1", 5060)),
        ("192.0.2.1:15060", "udp:0.0.0.0:5060", ("192.0.2.1", 15060)),
        ("192.0.2.1", "udp:0.0.0.0:0", ("192.0.2.1", 0)),
    ],
)
def test_an_advertised_address_takes_the_port_of_its_listener(
    text: str, listen: str, told: tuple[str, int] | None
) -> None:
    assert advertised(text, parse_listen(listen)) == told
