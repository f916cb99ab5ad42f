"""How much the headers of one message may hold. What has more is refused before anybody reads it (RFC 3261 21.5.7).

The bytes of all headers and of the body are limited where a stream is cut (`StreamLimits`); a datagram ends by itself.
"""

from __future__ import annotations

from talkburst.sip.message import Request, Response

# Each entry stands for an element that a message has passed or is still to pass. Max-Forwards begins at 70.
HOPS = ("Via", "Route", "Record-Route", "Path", "Service-Route")


class MessageLimits:
    """`fields` in one message, bytes of one `field`, and `hops`: entries of each header that lists elements."""

    __slots__ = ("_usual", "field", "fields", "hops")

    def __init__(self, fields: int = 256, field: int = 8192, hops: int = 70) -> None:
        self.fields = fields
        self.field = field
        self.hops = hops
        self._usual = min(fields, hops)

    def excess(self, message: Request | Response, data: bytes) -> str:
        """What `message`, which was read from `data`, has too much of; nothing for nearly every message.

        An entry has a line of its own or a comma before it: where there are few of both, nothing has to be counted.
        """
        if len(data) <= self.field and data.count(b"\r\n") + data.count(b",") <= self._usual:
            return ""
        if len(message.keys()) > self.fields:
            return f"more than {self.fields} header fields"
        if any(len(name) + len(value) > self.field for name, value in message.header_lines()):
            return f"a header field of more than {self.field} bytes"
        for name in HOPS:
            if len(message.values(name)) > self.hops:
                return f"more than {self.hops} entries of {name}"
        return ""
