"""docs/torture.md, written from what came of the rows: `python torture_page.py FILE` sends them and writes the page."""

import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from torture_row import Row
from torture_world import ROWS, Seen, run

PAGE = Path(__file__).parents[2] / "docs" / "torture.md"
COLUMNS = {"parser": "parser", "core": "core", "ua": "client", "core_tcp": "core, TCP", "ua_tcp": "client, TCP"}

_BEGINNING = """# Torture table

Every case of RFC 4475 (SIP torture tests) and RFC 5118 (the same for IPv6), as messages of our own that have the same
oddities and are meant for `ims.example`. They are in `tests/torture`; each was sent over UDP to a running `talkburst
core` and to a running `talkburst client`, and read by the parser alone. `make torture` sends them again and writes this
page; a test holds it to what comes of them. Where Debian's doc-rfc-informational is installed, the tests also take the
messages of the RFCs out of their texts and send those: their statuses are the same, but that the core asks who sent
what it would forward.

{verdict}

- *parser*: well-formed, or the status that reading the message gives; `dropped` is a response that nobody gets to see.
- *core*: who sends is registered, and so is the user in the Request-URI, which answers 200 to everything. `forwarded;
  200` is that request, forwarded, and that answer. A REGISTER is sent without credentials, and again with right ones.
- *client*: has no sessions and no messages. What it serves is OPTIONS and NOTIFY; to other methods it says 405, to
  unknown ones 501, both with Allow.

"""
_FORWARDING = """
## Forwarded

What the core forwards it leaves alone: folds, compact forms, odd case, escapes and unknown header fields leave as they
came, octet for octet and in their order, and so does the body. It changes Via (on top), Max-Forwards, Max-Breadth,
Route, Record-Route, the P- header fields of RFC 3325 and RFC 7315, and Content-Length where there was none.

## What the RFCs leave open

"""
_CHOICES = """
- A broken request is refused, never repaired: whoever repairs may read it otherwise than the next one does.
- RFC 4475 lets a 501 or a 400 answer `mismatch02`; it is the 501 that it prefers. The same request with the method
  that CSeq has is forwarded.
- What a proxy has not to look at it does not: Date, Accept and the body's type do not matter to the core.
- INVITE to the client is 405 before anything else of it is judged (RFC 3261 8.2.1), so it never gets to 415 (`invut`)
  or 406 (`sdp01`).
- `test` in the archive of RFC 4475 has no SIP-Version, and the RFC says nothing of it: it is dropped.
- RFC 5118 gives lengths in its bodies that are wrong once its line breaks are those of SIP; they were put right.
"""


def as_expected(row: Row, seen: Seen) -> bool:
    return all(getattr(row, column) == getattr(seen, column) for column in COLUMNS)


def page(rows: Iterable[Row], seen: Mapping[str, Seen]) -> str:
    rows = list(rows)
    wrong = [row.name for row in rows if not as_expected(row, seen[row.name])]
    verdict = f"{len(rows)} rows, " + (
        f"{len(wrong)} NOT as expected: {', '.join(wrong)}." if wrong else "all as expected."
    )
    written = [_BEGINNING.format(verdict=verdict)]
    for rfc in dict.fromkeys(row.clause.rpartition(" ")[0] for row in rows):
        written += [
            f"## {rfc}\n\n",
            _line("", "message", "the RFC wants", "parser", "core", "client"),
            _line(*["---"] * 6),
        ]
        written += [_row(row, seen[row.name]) for row in rows if row.clause.startswith(f"{rfc} ")]
        written.append("\n")
    written += ["## On a connection\n\n", "Content-Length alone says where a message ends.\n\n"]
    written += [_line("message", "core", "client"), _line(*["---"] * 3)]
    written += [
        _line(f"`{row.name}`", _cell(row, seen[row.name], "core_tcp"), _cell(row, seen[row.name], "ua_tcp"))
        for row in rows
        if row.core_tcp
    ]
    written += [_FORWARDING, *(f"- `{row.name}`: {row.note}\n" for row in rows if row.note), _CHOICES.lstrip("\n")]
    return "".join(written)


def _row(row: Row, seen: Seen) -> str:
    cells = (_cell(row, seen, column) for column in ("parser", "core", "ua"))
    return _line(row.clause.rpartition(" ")[2], f"`{row.name}`: {row.feature}", row.wanted, *cells)


def _cell(row: Row, seen: Seen, column: str) -> str:
    expected, got = getattr(row, column), getattr(seen, column)
    return got if got == expected else f"**{got}**, expected {expected}"


def _line(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


def main(path: Path) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path.write_text(page(ROWS, run(Path(directory))))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
