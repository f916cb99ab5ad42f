import pytest

from talkburst.net import ListenAddress


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("udp:127.0.0.1:5060", ("udp", "127.0.0.1", 5060, None)),
        ("udp:[::1]:0", ("udp", "::1", 0, None)),
        ("udp:core.example:5060", ("udp", "core.example", 5060, None)),
        ("fd:7", ("", "", 0, 7)),
        ("udp:fd:7", ("udp", "", 0, 7)),
        ("tcp:fd:7", ("tcp", "", 0, 7)),
        ("tcp:[::1]:5060", ("tcp", "::1", 5060, None)),
    ],
)
def test_a_listen_entry_is_read(text: str, expected: tuple[str, str, int, int | None]) -> None:
    assert ListenAddress.parse(text) == expected


@pytest.mark.parametrize(
    "text", ["", "127.0.0.1:5060", "udp:127.0.0.1", "udp:127.0.0.1:99999", "sctp:127.0.0.1:1", "fd:x"]
)
def test_a_listen_entry_that_cannot_be_read_is_named_in_the_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"must|has|is") as caught:
        ListenAddress.parse(text)
    assert repr(text) in str(caught.value)
