"""XCAP over HTTP as the capture shows it: requests, their answers, and which document of whom they name."""

from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from talkburst.flow.message import address_of_record
from talkburst.flow.roles import Role

POC_RULES = "org.openmobilealliance.poc-rules"
POC_GROUPS = "org.openmobilealliance.poc-groups"
DIRECTORY = "org.openmobilealliance.xcap-directory"
RESOURCE_LISTS = "resource-lists"

# The documents of the PoC XDMS and the directory that lists them; the Shared XDMS keeps the resource lists.
POC_DATA = frozenset({POC_RULES, POC_GROUPS, DIRECTORY})
SHARED_DATA = frozenset({RESOURCE_LISTS})


class XcapTarget(NamedTuple):
    """An application usage and whose document of it a request names; the user is empty in the global tree."""

    usage: str
    user: str


def xcap_target(request_target: str) -> XcapTarget | None:
    """What an HTTP request-target names, wherever the XCAP root is (RFC 4825 section 6); None when it is no XCAP."""
    try:
        path = urlsplit(request_target).path
    except ValueError:
        return None
    segments = [unquote(segment) for segment in path.split("/")]
    for place, segment in enumerate(segments[:-1]):
        if segment in POC_DATA | SHARED_DATA and segments[place + 1] in ("users", "global"):
            in_users = segments[place + 1] == "users" and len(segments) > place + 2
            return XcapTarget(segment, segments[place + 2] if in_users else "")
    return None


class HttpHead(NamedTuple):
    """The start line of an HTTP message and whether the request carries credentials."""

    start_line: str
    method: str
    target: str
    status: int | None
    authorized: bool


def read_head(payload: bytes) -> HttpHead | None:
    """The head of a request or a response, None where the bytes are neither."""
    head = payload.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    first = head[0].split(" ", 2)
    if len(first) < 2:
        return None
    authorized = any(line.lower().startswith("authorization:") for line in head[1:])
    if first[0].startswith("HTTP/"):
        is_status = first[1].isdecimal() and len(first[1]) == 3  # RFC 9112 4
        return HttpHead(head[0], "", "", int(first[1]), False) if is_status else None
    if len(first) == 3 and first[2].startswith("HTTP/"):
        return HttpHead(head[0], first[0], first[1], None, authorized)
    return None


@dataclass(slots=True, eq=False)
class HttpExchange:
    """One request and its final answer. Times are seconds since the epoch, those of whoever saw it."""

    sender: Role
    receiver: Role
    head: HttpHead
    time: float
    target: XcapTarget | None
    status: int | None = None
    answered: float | None = None
    answer_line: str = ""

    @property
    def user(self) -> str:
        """The user whose document is asked for, as an address-of-record; "" where it is nobody's."""
        return address_of_record(self.target.user) if self.target is not None else ""
