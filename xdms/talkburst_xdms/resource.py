"""What a request target names: a stored document, one that the server makes, or nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from talkburst.xcap.uri import XcapUri, XcapUriError, parse
from talkburst_xdms.accounts import Account, Accounts
from talkburst_xdms.application_usage import POC_GROUPS, USAGES, XCAP_CAPS, XCAP_DIRECTORY, ApplicationUsage
from talkburst_xdms.exchange import refusal


class Kind(Enum):
    DOCUMENT = auto()
    DIRECTORY = auto()
    """The list of a user's documents."""
    CAPABILITIES = auto()
    GROUP_BY_URI = auto()
    """The group document that holds an address, wherever it is."""
    NOTHING = auto()
    """A place where no document is or can be; it takes the methods of one, to say so."""


READING: Final = ("GET", "HEAD")
METHODS: Final[Mapping[Kind, tuple[str, ...]]] = {
    Kind.DOCUMENT: (*READING, "PUT", "DELETE"),
    Kind.DIRECTORY: READING,
    Kind.CAPABILITIES: READING,
    Kind.GROUP_BY_URI: READING,
    Kind.NOTHING: (*READING, "PUT", "DELETE"),
}


@dataclass(slots=True, frozen=True)
class Resource:
    """`owner` is None in the global tree."""

    uri: XcapUri
    usage: ApplicationUsage
    kind: Kind
    owner: Account | None = None


def locate(target: str, root: str, accounts: Accounts) -> Resource:
    """Raises `RefusalError` with 404 for an unknown root, application usage or user (RFC 4825 8.1)."""
    try:
        uri = parse(target, root)
    except XcapUriError as error:
        raise refusal(404, str(error)) from None
    usage = USAGES.get(uri.auid)
    if usage is None:
        raise refusal(404, f"no application usage {uri.auid!r} here; there are {', '.join(USAGES)}")
    if uri.tree == "global":
        return Resource(uri, usage, _global_kind(uri))
    owner = accounts.owner(uri.xui)
    if owner is None:
        raise refusal(404, f"no user {uri.xui!r} here")
    return Resource(uri, usage, _user_kind(uri, usage), owner)


def _user_kind(uri: XcapUri, usage: ApplicationUsage) -> Kind:
    if uri.auid == XCAP_DIRECTORY and uri.path == ("directory.xml",):
        return Kind.DIRECTORY
    # None of the usages has directories below a user's home.
    return Kind.DOCUMENT if usage.check is not None and len(uri.path) == 1 else Kind.NOTHING


def _global_kind(uri: XcapUri) -> Kind:
    if uri.auid == XCAP_CAPS and uri.path == ("index",):
        return Kind.CAPABILITIES
    if uri.auid == POC_GROUPS and len(uri.path) == 2 and uri.path[0] == "byGroupID":
        return Kind.GROUP_BY_URI
    return Kind.NOTHING
