"""Entity tags and the conditions made of them (RFC 9110 sections 8.8.3 and 13.1).

A strong tag is handled without its quotes. Clients in the field leave the quotes out of If-Match, so they are optional
when read.
"""

import re
from typing import NamedTuple

# entity-tag = [ weak ] opaque-tag ; weak = %s"W/" ; opaque-tag = DQUOTE *etagc DQUOTE
_TAG = re.compile(r'\s*(W/)?(?:"([^"]*)"|([^",\s]+))\s*(?:,|$)')


class EntityTag(NamedTuple):
    opaque: str
    weak: bool = False

    def __str__(self) -> str:
        return f'W/"{self.opaque}"' if self.weak else f'"{self.opaque}"'


class TagList(NamedTuple):
    """The value of If-Match or If-None-Match; `any` for the asterisk."""

    tags: tuple[EntityTag, ...] = ()
    any: bool = False

    def matches(self, current: str | None, *, strong: bool) -> bool:
        """Whether the tag of what is stored now (None: nothing is) is among these."""
        if current is None:
            return False
        return self.any or any(tag.opaque == current and not (strong and tag.weak) for tag in self.tags)


def read_tags(value: str) -> TagList:
    """Reads a list of tags. What cannot be read as one matches nothing."""
    if value.strip() == "*":
        return TagList(any=True)
    tags: list[EntityTag] = []
    at = 0
    while at < len(value):
        match = _TAG.match(value, at)
        if match is None or match.end() == at:
            break
        tags.append(EntityTag(match[2] if match[2] is not None else match[3], bool(match[1])))
        at = match.end()
    return TagList(tuple(tags))


class Conditions(NamedTuple):
    """The conditions of one request."""

    if_match: TagList | None = None
    if_none_match: TagList | None = None

    def hold(self, current: str | None) -> bool:
        """Whether a change of what is stored now may go on; otherwise the answer is 412."""
        if self.if_match is not None and not self.if_match.matches(current, strong=True):
            return False
        return self.if_none_match is None or not self.if_none_match.matches(current, strong=False)


def read_conditions(if_match: str | None, if_none_match: str | None) -> Conditions:
    """Takes the values of the two headers, each joined by commas when it came more than once."""
    return Conditions(
        None if if_match is None else read_tags(if_match),
        None if if_none_match is None else read_tags(if_none_match),
    )
