"""What an XCAP server can do: application/xcap-caps+xml (RFC 4825 section 12)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from talkburst.xml.document import append, children, new_root, root_of, serialise, text_of

NAMESPACE: Final = "urn:ietf:params:xml:ns:xcap-caps"
MEDIA_TYPE: Final = "application/xcap-caps+xml"


@dataclass(slots=True, frozen=True)
class XcapCapabilities:
    auids: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()


def to_xml(capabilities: XcapCapabilities) -> bytes:
    """The document, in the order of the schema: auids, extensions, namespaces."""
    root = new_root(NAMESPACE, "xcap-caps")
    lists: tuple[tuple[str, str, Iterable[str]], ...] = (
        ("auids", "auid", capabilities.auids),
        ("extensions", "extension", capabilities.extensions),
        ("namespaces", "namespace", capabilities.namespaces),
    )
    for plural, singular, values in lists:
        element = append(root, plural)
        for value in values:
            append(element, singular, value)
    return serialise(root)


def from_xml(data: bytes) -> XcapCapabilities:
    """Reads a document. Raises `XmlError`."""
    lists = dict(children(root_of(data, NAMESPACE, "xcap-caps"), NAMESPACE))

    def values(plural: str) -> tuple[str, ...]:
        return tuple(text_of(child) for _, child in children(lists[plural], NAMESPACE)) if plural in lists else ()

    return XcapCapabilities(values("auids"), values("namespaces"), values("extensions"))
