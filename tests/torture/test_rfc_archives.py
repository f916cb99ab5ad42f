"""The messages of RFC 4475 and RFC 5118 themselves: what comes of them is what comes of ours."""

import asyncio
from pathlib import Path

import pytest

from talkburst.sip.message import Request
from talkburst.sip.parser import Malformed, parse_message
from torture_archive import answered_at, messages
from torture_ends import Address, End
from torture_row import DROPPED, Row
from torture_world import ROWS, judged
from watched import free, watched

pytestmark = pytest.mark.acceptance

UNDOCUMENTED = "test"  # in the archive of RFC 4475, and nowhere in its text
# The domains of the RFCs; in none of them is there anybody.
DOMAINS = ["example.com", "example.net", "example.org", "company.com"]
WHO_ARE_YOU = {"403", "407"}  # to the core whoever sends these is a stranger
each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


@pytest.fixture(scope="session")
def archived() -> dict[str, bytes]:
    return messages()


@pytest.fixture(scope="session")
def answered(archived: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, str]]:
    """What core and client say to each message, by its name."""
    return asyncio.run(_sent(archived, tmp_path_factory.mktemp("archives")))


async def _sent(archived: dict[str, bytes], directory: Path) -> dict[str, tuple[str, str]]:
    config = free(core={"domains": DOMAINS})
    async with watched("core", directory, config) as core, watched("client", directory, config) as client:
        return {
            name: (await _status(data, core.address()), await _status(data, client.address()))
            for name, data in archived.items()
        }


async def _status(data: bytes, to: Address) -> str:
    """The answer to a message, or `dropped` when an OPTIONS that was sent behind it is answered before.

    Each is sent from a socket of its own, on which nothing else is repeated.
    """
    end = await End().open()
    try:
        mark = f"behind-{end.sent_by}"
        fields = [("Via", f"SIP/2.0/UDP {end.sent_by};branch=z9hG4bK{mark}"), ("From", f"<sip:a@b>;tag={mark}")]
        fields += [("To", "<sip:c@d>"), ("Call-ID", mark), ("CSeq", "1 OPTIONS")]
        end.send(answered_at(data, end.address[1]), to)
        answer = await end.ask(Request("OPTIONS", "sip:{}:{}".format(*to), fields).to_bytes(), to, mark.encode())
        assert answer is not None
        assert answer.status == 200
        first = end.heard[0]
    finally:
        end.close()
    return DROPPED if mark.encode() in first else first.split(b" ")[1].decode()


def test_there_is_one_message_for_each_row_and_one_that_nobody_explains(archived: dict[str, bytes]) -> None:
    assert archived.keys() == {row.name for row in ROWS} | {UNDOCUMENTED}
    assert isinstance(parse_message(archived[UNDOCUMENTED]), Malformed)


@each_row
def test_the_parser_makes_of_a_message_what_it_makes_of_ours(row: Row, archived: dict[str, bytes]) -> None:
    assert judged(archived[row.name]) == row.parser


@each_row
def test_the_client_says_to_a_message_what_it_says_to_ours(row: Row, answered: dict[str, tuple[str, str]]) -> None:
    assert answered[row.name][1] == (DROPPED if row.is_response else row.ua)


@each_row
def test_the_core_refuses_a_message_as_it_does_ours_or_asks_who_sent_it(
    row: Row, answered: dict[str, tuple[str, str]]
) -> None:
    got, expected = answered[row.name][0], row.core.partition(";")[0]
    if row.is_response:
        assert got == DROPPED
    elif expected.startswith("forwarded") or row.name == "esc02":  # whose Request-URI is none of ours there
        assert got in WHO_ARE_YOU
    else:
        assert got == expected
