"""Ways to break a message: what bad senders, bad networks and bad people do to one."""

from hypothesis import strategies as st

from sip_messages import messages

DELIMITERS = [b"\r\n", b"\r\n\r\n", b"\n", b"\r", b"\r\n ", b"\x00", b";", b",", b"<", b">", b'"', b"\\", b":", b"="]
DELIMITERS += [
    b"@",
    b"?",
    b"[",
    b"]",
    b"%",
    b"%0",
    b" ",
    b"\t",
    b"*",
    b"\xff",
    b"\xc3",
    b"\xe2\x80\xa8",
    b"\xed\xa0\x80",
]
NUMBERS = [b"-1", b"4294967296", b"2147483648", b"9" * 400, b"0" * 400, b"1e9", b"0x10", b"\xd9\xa1", b"\xc2\xb2"]


@st.composite
def damage(draw: st.DrawFn, data: bytes) -> bytes:
    """One thing that goes wrong somewhere in `data`."""
    start = draw(st.integers(0, len(data)))
    end = draw(st.integers(start, min(len(data), start + draw(st.sampled_from([1, 8, 200])))))
    part = data[start:end]
    match draw(st.sampled_from(["cut", "drop", "twice", "many", "swap", "flip", "insert", "noise", "number", "line"])):
        case "cut":
            return data[:start]
        case "drop":
            return data[:start] + data[end:]
        case "twice":
            return data[:end] + part + data[end:]
        case "many":
            return data[:start] + (part or b"a") * draw(st.sampled_from([3, 40])) + data[end:]
        case "swap":
            middle = (start + end) // 2
            return data[:start] + data[middle:end] + data[start:middle] + data[end:]
        case "flip":
            return data[:start] + bytes(byte ^ draw(st.integers(1, 255)) for byte in part[:3]) + data[start + 3 :]
        case "insert":
            return data[:start] + draw(st.sampled_from(DELIMITERS)) + data[start:]
        case "noise":
            return data[:start] + draw(st.binary(max_size=12)) + data[end:]
        case "number":
            return _with_other_number(data, draw(st.sampled_from(NUMBERS)), start)
        case _:
            return _with_lines_moved(data, draw(st.integers(0, 30)), draw(st.integers(0, 30)), draw(st.booleans()))


def _with_other_number(data: bytes, number: bytes, start: int) -> bytes:
    """The next run of digits is another number."""
    while start < len(data) and not data[start : start + 1].isdigit():
        start += 1
    end = start
    while end < len(data) and data[end : end + 1].isdigit():
        end += 1
    return data[:start] + number + data[end:]


def _with_lines_moved(data: bytes, one: int, other: int, keep: bool) -> bytes:
    """A line stands where another one was, and where it was or not."""
    lines = data.split(b"\r\n")
    one, other = one % len(lines), other % len(lines)
    lines.insert(other, lines[one] if keep else lines.pop(one))
    return b"\r\n".join(lines)


@st.composite
def damaged(draw: st.DrawFn, framed: bool = False, kind: str | None = None) -> bytes:
    """A message with one to three faults."""
    data = draw(messages(framed, kind)).data
    for _ in range(draw(st.integers(1, 3))):
        data = draw(damage(data))
    return data
