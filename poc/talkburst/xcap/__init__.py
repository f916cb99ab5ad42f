"""XCAP, RFC 4825: URIs, entity tags, and the client that fetches and stores documents."""

from talkburst.xcap.client import XcapAnswer, XcapClient, XcapUnreachableError
from talkburst.xcap.uri import XcapUri, XcapUriError, parse, parse_entry, user_document

__all__ = [
    "XcapAnswer",
    "XcapClient",
    "XcapUnreachableError",
    "XcapUri",
    "XcapUriError",
    "parse",
    "parse_entry",
    "user_document",
]
