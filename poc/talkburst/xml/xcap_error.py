"""What a 409 of an XCAP server says: application/xcap-error+xml (RFC 4825 section 11)."""

from dataclasses import dataclass
from typing import Final

from talkburst.xml.document import XmlError, append, children, new_root, root_of, serialise, text_of

NAMESPACE: Final = "urn:ietf:params:xml:ns:xcap-error"
MEDIA_TYPE: Final = "application/xcap-error+xml"


@dataclass(slots=True, frozen=True)
class XcapFault:
    """One error element. `ancestor` belongs to no-parent; `field` and `alternatives` to uniqueness-failure."""

    condition: str
    phrase: str = ""
    ancestor: str | None = None
    field: str = ""
    alternatives: tuple[str, ...] = ()


def to_xml(fault: XcapFault) -> bytes:
    root = new_root(NAMESPACE, "xcap-error")
    # RFC 4825 11.2: every element but extension has the attribute phrase.
    element = append(root, fault.condition, attributes={"phrase": fault.phrase or None})
    if fault.ancestor is not None:
        append(element, "ancestor", fault.ancestor)
    if fault.condition == "uniqueness-failure":
        exists = append(element, "exists", attributes={"field": fault.field})
        for value in fault.alternatives:
            append(exists, "alt-value", value)
    return serialise(root)


def from_xml(data: bytes) -> XcapFault:
    """The first error element of a document. Raises `XmlError`."""
    root = root_of(data, NAMESPACE, "xcap-error")
    for condition, element in children(root, NAMESPACE):
        below = dict(children(element, NAMESPACE))
        exists = below.get("exists")
        return XcapFault(
            condition=condition,
            phrase=element.get("phrase", ""),
            ancestor=text_of(below["ancestor"]) if "ancestor" in below else None,
            field="" if exists is None else exists.get("field", ""),
            alternatives=() if exists is None else tuple(text_of(child) for _, child in children(exists, NAMESPACE)),
        )
    raise XmlError("xcap-error holds no error element")
