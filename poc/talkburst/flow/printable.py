"""Text of packets, as a terminal may be given it."""


def printable(text: str) -> str:
    """The text with all that is not printable escaped: control characters, bytes that are no UTF-8, surrogates.

    Packets are anybody's: what they hold must neither steer a terminal nor break what reads the report.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(ord(char)) for char in text)


def _escaped(code: int) -> str:
    if 0xDC80 <= code <= 0xDCFF:  # a byte that was no UTF-8 (PEP 383)
        code -= 0xDC00
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
