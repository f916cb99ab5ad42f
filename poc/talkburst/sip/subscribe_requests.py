"""The SUBSCRIBE requests of one subscription (RFC 6665 4.1.2.1 and 4.1.2.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from talkburst.sip.dialog import Dialog, with_tag
from talkburst.sip.headers import NameAddr, parse_name_addr, split_commas
from talkburst.sip.message import Request
from talkburst.sip.negotiation import acceptable


@dataclass(slots=True, frozen=True, kw_only=True)
class SubscribeRequests:
    """What stands in them.

    `from_`, `to` and `contact` are header values without tags, `accept` is the value of Accept. `headers` go into every
    request, `route` (header values) only into those without a dialog.
    """

    event: str
    target: str
    from_: NameAddr | str
    to: NameAddr | str
    contact: NameAddr | str
    accept: str
    headers: Sequence[tuple[str, object]] = ()
    route: Sequence[str] = ()

    def initial(self, call_id: str, tag: str, cseq: int, expires: int) -> Request:
        """One outside a dialog."""
        from_ = parse_name_addr(self.from_) if isinstance(self.from_, str) else self.from_
        headers: list[tuple[str, object]] = [("Route", route) for route in self.route]
        headers += [
            ("From", with_tag(from_, tag)),
            ("To", self.to),
            ("Call-ID", call_id),
            ("CSeq", f"{cseq} SUBSCRIBE"),
        ]
        return self._complete(Request("SUBSCRIBE", self.target, headers), expires)

    def refresh(self, dialog: Dialog, expires: int) -> Request:
        """The next one in the dialog; with `expires` 0 the last."""
        return self._complete(dialog.request("SUBSCRIBE"), expires)

    def accepts(self, notify: Request) -> bool:
        """Whether what a NOTIFY says is of a media type that was asked for."""
        content_type = notify.content_type
        return not notify.body or content_type is None or acceptable(content_type.media_type, split_commas(self.accept))

    def _complete(self, request: Request, expires: int) -> Request:
        request.add("Contact", self.contact)
        request.add("Event", self.event)
        request.add("Expires", expires)
        request.add("Accept", self.accept)
        for name, value in self.headers:
            request.add(name, value)
        return request
