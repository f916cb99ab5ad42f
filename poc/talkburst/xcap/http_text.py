"""HTTP messages as one text, the way they stand on the wire, for the trace."""

from collections.abc import Iterable


def http_text(start_line: str, headers: Iterable[tuple[str, str]], body: bytes = b"") -> bytes:
    """One HTTP/1.1 message. The body is whole here, so chunked transfer coding becomes a Content-Length."""
    lines = [start_line]
    for name, value in headers:
        if name.lower() == "transfer-encoding":
            name, value = "Content-Length", str(len(body))
        lines.append(f"{name}: {value}")
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + body
