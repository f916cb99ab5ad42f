"""A forked INVITE and what becomes of it, as transcripts (RFC 3261 16.7 to 16.10, RFC 6026); see `Call` in conftest."""

import pytest

FORWARDED = "INVITE > a INVITE, b INVITE"

# RFC 3261 16.7 steps 5 and 10: what is passed on at once, and who is cancelled then.
AT_ONCE = {
    "ringing of every branch, but no 100": """
        a 100 >
        a 180 > up 180
        b 183 > up 183
        a 180 > up 180
    """,
    "2xx, and CANCEL for who rings": """
        a 180 > up 180
        b 200 > up 200, a CANCEL
        a 487 > a ACK
        a 487 > a ACK
    """,
    "nobody is cancelled before anything came back (9.1)": """
        b 200 > up 200
        +1 >
        a 180 > a CANCEL
        a 180 >
        a 487 > a ACK
    """,
    "a 100 is enough to be cancelled": """
        a 100 >
        b 200 > up 200, a CANCEL
    """,
    "2xx that crosses its CANCEL, too": """
        a 180 > up 180
        b 200 > up 200, a CANCEL
        a 200 > up 200
    """,
    "each 2xx as often as it comes, of whatever dialog": """
        a 200 tag=x > up 200
        a 200 tag=x > up 200
        a 200 tag=y > up 200
        +31 >
        a 200 tag=x > up 200
    """,
    "2xx after Timer M of its transaction no more (RFC 6026 8.2)": """
        b 486 > b ACK
        a 200 > up 200
        +32.1 >
        a 200 >
    """,
    "no other final response once one was passed on": """
        a 200 > up 200
        b 486 > b ACK
        b 180 >
    """,
}

# RFC 3261 16.7 step 6.
BEST = {
    "6xx waits for who was cancelled, and wins": """
        a 180 > up 180
        b 603 > b ACK, a CANCEL
        a 487 > a ACK, up 603
    """,
    "6xx wins over a redirection": """
        a 302 > a ACK
        b 600 > b ACK, up 600
    """,
    "2xx still wins over 6xx": """
        a 180 > up 180
        b 603 > b ACK, a CANCEL
        a 200 > up 200
    """,
    "redirection wins over refusal": """
        a 486 > a ACK
        b 302 > b ACK, up 302
    """,
    "lowest class": """
        a 500 > a ACK
        b 404 > b ACK, up 404
    """,
    "what helps to try again": """
        a 486 > a ACK
        b 484 > b ACK, up 484
    """,
    "an answer wins over silence": """
        a 180 > up 180
        b 486 > b ACK
        +185 > a CANCEL
        +32 > up 486
    """,
    "silence of all is 408": """
        +0.2 > up 100
        +31.8 > up 408
    """,
    "silence wins over 5xx": """
        a 500 > a ACK
        +32 > up 100, up 408
    """,
    "503 alone is 500": """
        a 503 > a ACK
        b 503 > b ACK, up 500
    """,
    "503 is passed over for any 4xx": """
        a 503 > a ACK
        b 404 > b ACK, up 404
    """,
    "who cannot be reached counts as 503 (16.9)": """
        a refused >
        b 501 > b ACK, up 501
    """,
    "487 of a branch that we cancelled says nothing": """
        a 180 > up 180
        b 404 > b ACK
        +185 > a CANCEL
        a 487 > a ACK, up 404
    """,
    "nobody can be reached": """
        a refused >
        b refused > up 500
    """,
}

# RFC 3261 16.7 step 2 and 16.8: Timer C is 185 s.
TIMER_C = {
    "ends who rings for ever": """
        b 486 > b ACK
        a 180 > up 180
        +184.9 >
        +0.2 > a CANCEL
        a 487 > a ACK, up 486
    """,
    "starts again with each 101 to 199": """
        b 486 > b ACK
        a 180 > up 180
        +184 >
        a 183 > up 183
        +184 >
        +2 > a CANCEL
    """,
    "does not start again with 100": """
        b 486 > b ACK
        a 180 > up 180
        +184 >
        a 100 >
        +2 > a CANCEL
    """,
    "is each branch's own": """
        a 180 > up 180
        b 180 > up 180
        +100 >
        b 180 > up 180
        +86 > a CANCEL
        a 487 > a ACK
        b 200 > up 200
    """,
    "ends when the branch does": """
        a 180 > up 180
        a 486 > a ACK
        b 200 > up 200
        +400 >
    """,
}

# RFC 3261 16.10 and 9.
CANCELLED = {
    "while it rings": """
        a 180 > up 180
        b 180 > up 180
        CANCEL > up 200 CANCEL, a CANCEL, b CANCEL
        a 487 > a ACK
        b 487 > b ACK, up 487
        ACK >
    """,
    "before anything came back": """
        CANCEL > up 200 CANCEL
        a 100 > a CANCEL
        b 180 > b CANCEL, up 180
        a 487 > a ACK
        b 487 > b ACK, up 487
    """,
    "and nobody ever answers": """
        +1 > up 100
        CANCEL > up 200 CANCEL
        +32 > up 487
    """,
    "and the CANCEL is not obeyed (9.1: 64*T1)": """
        a 180 > up 180
        b 180 > up 180
        CANCEL > up 200 CANCEL, a CANCEL, b CANCEL
        +32.1 > up 487
    """,
    "but one answers": """
        a 180 > up 180
        b 486 > b ACK
        CANCEL > up 200 CANCEL, a CANCEL
        a 200 > up 200
    """,
    "twice": """
        a 180 > up 180
        b 180 > up 180
        CANCEL > up 200 CANCEL, a CANCEL, b CANCEL
        CANCEL > up 200 CANCEL
    """,
    "too late": """
        a 200 > up 200
        b 486 > b ACK
        CANCEL > up 200 CANCEL
    """,
}

# RFC 3261 17.1.1.3, 17.2.1 and 13.2.2.4, RFC 6026 7.1.
REPEATED = {
    "INVITE before any answer gets 100 within 200 ms, and again": """
        INVITE >
        +0.2 > up 100
        INVITE > up 100
    """,
    "INVITE while it rings gets the 180 again, and nobody else does": """
        a 180 > up 180
        INVITE > up 180
        +1 >
    """,
    "INVITE that was refused gets the refusal until the ACK": """
        a 486 > a ACK
        b 486 > b ACK, up 486
        INVITE > up 486
        ACK >
        INVITE >
        ACK >
    """,
    "INVITE that was accepted is absorbed": """
        a 200 > up 200
        INVITE >
    """,
    "refusal is acknowledged from hop to hop": """
        a 486 > a ACK
        a 486 > a ACK
        b 404 > b ACK, up 486
        a 486 > a ACK
        ACK >
    """,
    "ACK of a 2xx passes each time": """
        a 200 > up 200
        ACK of 2xx > a ACK
        a 200 > up 200
        ACK of 2xx > a ACK
        +31 >
        ACK of 2xx > a ACK
    """,
    "ACK of nothing passes never": """
        ACK of 2xx >
    """,
}


def rows(table: dict[str, str]):
    return pytest.mark.parametrize("transcript", table.values(), ids=table.keys())


@rows(AT_ONCE)
def test_response_is_passed_on_at_once_or_never(call, transcript: str) -> None:
    call.play(FORWARDED)
    call.play(transcript)


@rows(BEST)
def test_best_response_goes_to_the_caller(call, transcript: str) -> None:
    call.play(FORWARDED)
    call.play(transcript)


@rows(TIMER_C)
def test_timer_c_ends_what_rings_for_ever(call, transcript: str) -> None:
    call.play(FORWARDED)
    call.play(transcript)


@rows(CANCELLED)
def test_caller_who_gives_up_is_told_487(call, transcript: str) -> None:
    call.play(FORWARDED)
    call.play(transcript)


@rows(REPEATED)
def test_what_is_repeated_is_answered_and_acknowledged(call, transcript: str) -> None:
    call.play(FORWARDED)
    call.play(transcript)


EVERY = {**AT_ONCE, **BEST, **TIMER_C, **CANCELLED, **REPEATED}


@rows(EVERY)
def test_nothing_is_left_of_it_afterwards(call, transcript: str) -> None:
    call.play(FORWARDED)
    call.play(transcript)
    call.bench.advance(300)
    assert not call.bench.engine.clients
    assert not call.bench.engine.servers
    assert call.bench.proxy.pending == 0
    assert call.bench.engine.next_deadline() is None
