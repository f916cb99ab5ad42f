"""Tokens that nobody can guess: each of them once, whichever batch it comes from."""

import re

import pytest

from talkburst.net.tokens import AT_ONCE, Tokens

COUNT = 3 * AT_ONCE + 1


@pytest.mark.parametrize("size", [8, 16])
def test_each_token_is_given_once_and_has_its_octets_in_hexadecimal(size: int) -> None:
    tokens = Tokens(size)
    given = [tokens.next() for _ in range(COUNT)]
    assert len(set(given)) == COUNT
    assert all(re.fullmatch(f"[0-9a-f]{{{2 * size}}}", each) for each in given)


def test_no_part_of_a_token_stands_in_another_one() -> None:
    tokens = Tokens(16)
    given = [tokens.next() for _ in range(COUNT)]
    halves = [half for each in given for half in (each[:16], each[16:])]
    assert len(set(halves)) == len(halves)


def test_two_sources_have_nothing_in_common() -> None:
    one, other = Tokens(), Tokens()
    assert not {one.next() for _ in range(COUNT)} & {other.next() for _ in range(COUNT)}
