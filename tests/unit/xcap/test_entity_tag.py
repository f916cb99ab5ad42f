import pytest

from talkburst.xcap.entity_tag import Conditions, EntityTag, TagList, read_conditions, read_tags


@pytest.mark.parametrize(
    ("value", "tags"),
    [
        ('"a"', TagList((EntityTag("a"),))),
        ("a", TagList((EntityTag("a"),))),
        (' "a" , W/"b",c ', TagList((EntityTag("a"), EntityTag("b", True), EntityTag("c")))),
        ('"a,b"', TagList((EntityTag("a,b"),))),
        (" * ", TagList(any=True)),
        ("", TagList()),
        ('"a" "b"', TagList()),
        ('"', TagList()),
    ],
)
def test_tags_are_read_with_and_without_quotes(value: str, tags: TagList) -> None:
    assert read_tags(value) == tags


@pytest.mark.parametrize(
    ("if_match", "if_none_match", "current", "holds"),
    [
        (None, None, None, True),
        (None, None, "a", True),
        ('"a"', None, "a", True),
        ('"b", "a"', None, "a", True),
        ('"b"', None, "a", False),
        ('W/"a"', None, "a", False),
        ('"a"', None, None, False),
        ("*", None, "a", True),
        ("*", None, None, False),
        (None, "*", None, True),
        (None, "*", "a", False),
        (None, '"a"', "a", False),
        (None, 'W/"a"', "a", False),
        (None, '"b"', "a", True),
        ('"a"', '"a"', "a", False),
    ],
)
def test_conditions_are_held_against_what_is_stored(
    if_match: str | None, if_none_match: str | None, current: str | None, holds: bool
) -> None:
    assert read_conditions(if_match, if_none_match).hold(current) is holds


def test_a_tag_is_written_in_quotes() -> None:
    assert str(EntityTag("a")) == '"a"'
    assert Conditions().if_match is None
