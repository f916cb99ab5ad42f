"""A request as the server decides on it, and its reply. No socket, no event loop."""

from dataclasses import dataclass, field

from multidict import CIMultiDict, CIMultiDictProxy

from talkburst.xml.xcap_error import MEDIA_TYPE as XCAP_ERROR
from talkburst.xml.xcap_error import XcapFault, to_xml

Headers = CIMultiDict[str] | CIMultiDictProxy[str]


@dataclass(slots=True)
class Request:
    """`target` as it stood in the request line; `peer` is the address it came from."""

    method: str
    target: str
    headers: Headers
    body: bytes
    peer: str

    def joined(self, name: str) -> str | None:
        """All values of a header that is a list, None when it is not there."""
        values = self.headers.getall(name, None)
        return None if values is None else ", ".join(values)


@dataclass(slots=True)
class Reply:
    """`why` is the reason in a few words, for the log."""

    status: int
    body: bytes = b""
    content_type: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    why: str = ""


class RefusalError(Exception):
    """A request that ends here; carries the reply."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.why)
        self.reply = reply


def refusal(status: int, text: str, **headers: str) -> RefusalError:
    """A refusal that says in plain text what was wrong. Underscores in header names stand for hyphens.

    What `text` quotes of the peer may be no UTF-8.
    """
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = f"{text}\n".encode("utf-8", "replace")
    return RefusalError(Reply(status, body, "text/plain; charset=utf-8", named, text))


def conflict(fault: XcapFault) -> RefusalError:
    """A 409 with an xcap-error document (RFC 4825 section 11)."""
    why = f"{fault.condition}: {fault.phrase}" if fault.phrase else fault.condition
    return RefusalError(Reply(409, to_xml(fault), XCAP_ERROR, why=why))
