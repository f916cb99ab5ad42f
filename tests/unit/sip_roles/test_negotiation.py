import pytest

from talkburst.sip.negotiation import acceptable, granted

MEDIA = "application/reginfo+xml"


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        (None, 3761),  # absent: the package's default
        (0, 0),  # a fetch, or the end
        (1, None),
        (59, None),
        (60, 60),
        (3599, 3599),
        (7200, 7200),
        (7201, 7200),  # shortened
        (600000, 7200),
    ],
)
def test_a_duration_is_shortened_or_refused_and_never_lengthened(asked: int | None, given: int | None) -> None:
    assert granted(asked, 3761, 60, 7200) == given


def test_an_hour_is_never_too_brief() -> None:
    assert granted(3599, 3600, 4000, 7200) is None
    assert granted(3600, 3600, 4000, 7200) == 3600


def test_the_default_is_not_above_the_maximum() -> None:
    assert granted(None, 3761, 60, 3600) == 3600


@pytest.mark.parametrize(
    ("accept", "taken"),
    [
        (None, True),
        ([], False),
        ([MEDIA], True),
        (["Application/RegInfo+XML"], True),
        (["application/pidf+xml", MEDIA], True),
        ([f"{MEDIA};q=0.5"], True),
        ([f"{MEDIA};q=0"], False),
        ([f"{MEDIA} ; version=1 ; q = 0.0"], False),
        ([f"{MEDIA};q=x"], True),
        (["*/*"], True),
        (["application/*"], True),
        (["text/*"], False),
        (["application/pidf+xml"], False),
        (["*/*", f"{MEDIA};q=0"], False),
        (["*/*;q=0", "application/*;q=0.1"], True),
        (["", ";"], False),
    ],
)
def test_which_accept_takes_the_document(accept: list[str] | None, taken: bool) -> None:
    assert acceptable(MEDIA, accept) is taken
