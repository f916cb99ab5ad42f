"""What the core forwards comes out as it went in, but for what a proxy has to change."""

import pytest

from torture_row import Row
from torture_world import ROWS, Seen

pytestmark = pytest.mark.acceptance

FORWARDED = [row for row in ROWS if row.core.startswith("forwarded")]
# RFC 3261 16.6, RFC 5393 5.3, RFC 3325, RFC 7315; Content-Length stays what it was where there is one.
CHANGED = {
    "via",
    "max-forwards",
    "max-breadth",
    "route",
    "record-route",
    "p-asserted-identity",
    "p-called-party-id",
    "p-charging-vector",
}
COMPACT = {"v": "via", "l": "content-length"}
each_forwarded = pytest.mark.parametrize("row", FORWARDED, ids=lambda row: row.name)


def taken_apart(data: bytes) -> tuple[bytes, list[tuple[str, bytes]], bytes]:
    """Start line, header fields (full name and every octet, folds too), body. Nothing of ours reads it."""
    head, _, body = data.partition(b"\r\n\r\n")
    start, *lines = head.split(b"\r\n")
    fields: list[bytes] = []
    for line in lines:
        if line[:1] in (b" ", b"\t"):
            fields[-1] += b"\r\n" + line
        else:
            fields.append(line)
    names = (field.partition(b":")[0].strip().decode().lower() for field in fields)
    return start, [(COMPACT.get(name, name), field) for name, field in zip(names, fields, strict=True)], body


def untouched(fields: list[tuple[str, bytes]]) -> list[bytes]:
    return [field for name, field in fields if name not in CHANGED]


def test_most_rows_are_forwarded() -> None:
    assert len(FORWARDED) == 23


@each_forwarded
def test_header_fields_and_body_leave_octet_for_octet_and_in_their_order(row: Row, observed: dict[str, Seen]) -> None:
    _, before, body = taken_apart(observed[row.name].sent)
    _, after, forwarded_body = taken_apart(observed[row.name].forwarded)
    had_length = any(name == "content-length" for name, _ in before)
    came = untouched([(name, field) for name, field in after if had_length or name != "content-length"])
    assert came == untouched(before)
    assert forwarded_body == body


@each_forwarded
def test_the_vias_below_the_top_leave_octet_for_octet(row: Row, observed: dict[str, Seen]) -> None:
    before = [field for name, field in taken_apart(observed[row.name].sent)[1] if name == "via"]
    after = [field for name, field in taken_apart(observed[row.name].forwarded)[1] if name == "via"]
    assert len(after) == len(before) + 1
    assert after[2:] == before[1:]


@each_forwarded
def test_method_and_version_leave_as_they_came_and_the_uri_where_nobody_registered(
    row: Row, observed: dict[str, Seen]
) -> None:
    before = taken_apart(observed[row.name].sent)[0].split(b" ")
    after = taken_apart(observed[row.name].forwarded)[0].split(b" ")
    if " to " in row.core:
        assert after == before
    else:
        assert (after[0], after[1][:9], after[2]) == (before[0], b"sip:user@", before[2])
