"""URI lists: application/resource-lists+xml (RFC 4826 section 3)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from lxml import etree

from talkburst.xml.document import XmlError, place, required, root_of, strict_children, text_of

NAMESPACE: Final = "urn:ietf:params:xml:ns:resource-lists"
MEDIA_TYPE: Final = "application/resource-lists+xml"

MAX_DEPTH: Final = 32

_ITEMS: Final = ("list", "external", "entry", "entry-ref")
# RFC 4826 3.4.5: what has to be unique among the siblings.
_KEYS: Final = {"list": "name", "external": "anchor", "entry": "uri", "entry-ref": "ref"}
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_HTTP = re.compile(r"https?://[^/\s]+(/\S*)?", re.IGNORECASE)


@dataclass(slots=True)
class Entry:
    uri: str
    display_name: str | None = None


@dataclass(slots=True)
class EntryRef:
    """An entry of another document of this server; `ref` is relative to the XCAP root."""

    ref: str
    display_name: str | None = None


@dataclass(slots=True)
class External:
    """A list somewhere else; `anchor` is an absolute HTTP URI. Whoever reads the list resolves it, no server does."""

    anchor: str
    display_name: str | None = None


@dataclass(slots=True)
class UriList:
    name: str | None = None
    display_name: str | None = None
    items: list["UriList | Entry | EntryRef | External"] = field(default_factory=list)

    def entries(self) -> Iterator[Entry]:
        """The entries that stand in this list and the lists inside it."""
        for item in self.items:
            if isinstance(item, Entry):
                yield item
            elif isinstance(item, UriList):
                yield from item.entries()


@dataclass(slots=True)
class ResourceLists:
    lists: list[UriList] = field(default_factory=list)

    def named(self, name: str) -> UriList | None:
        """The top-level list of that name, such as oma_pocbuddylist; names are case-sensitive."""
        return next((item for item in self.lists if item.name == name), None)


def from_xml(data: bytes) -> ResourceLists:
    """Reads a document and holds it to schema, uniqueness and constraints of RFC 4826. Raises `XmlError`."""
    root = root_of(data, NAMESPACE, "resource-lists")
    children = strict_children(root, NAMESPACE, ("list",), ("list",))
    unique_among_siblings(children)
    return ResourceLists([_list(element, 1) for _, element in children])


def _list(element: etree._Element, depth: int) -> UriList:
    if depth > MAX_DEPTH:
        raise XmlError(f"lists are nested more than {MAX_DEPTH} deep", "constraint-failure")
    children = strict_children(element, NAMESPACE, ("display-name", *_ITEMS), _ITEMS)
    if "display-name" in [name for name, _ in children[1:]]:
        raise XmlError(f"{place(element)}: display-name has to be the first element")
    unique_among_siblings(children)
    found = UriList(element.get("name"))
    for name, child in children:
        if name == "display-name":
            found.display_name = text_of(child)
        elif name == "list":
            found.items.append(_list(child, depth + 1))
        else:
            found.items.append(item_of(name, child, NAMESPACE))
    return found


def item_of(name: str, element: etree._Element, namespace: str) -> Entry | EntryRef | External:
    """An entry, entry-ref or external element; PoC groups use the same types in a namespace of their own."""
    display_name = None
    if len(element) or element.text:  # most have neither, and there may be many thousands of them
        display_names = [text_of(child) for child in element.iterchildren(f"{{{NAMESPACE}}}display-name")]
        strict_children(element, namespace, ("display-name",) if namespace == NAMESPACE else ())
        display_name = display_names[0] if display_names else None
    if name == "entry":
        return Entry(required(element, "uri"), display_name)
    if name == "entry-ref":
        ref = required(element, "ref")
        if ref.startswith("/") or _ABSOLUTE.match(ref):
            raise XmlError(f"{place(element)}: ref {ref!r} is not relative to the XCAP root", "constraint-failure")
        return EntryRef(ref, display_name)
    anchor = element.get("anchor", "")
    if anchor and not _HTTP.fullmatch(anchor):
        raise XmlError(f"{place(element)}: anchor {anchor!r} is not an absolute HTTP URI", "constraint-failure")
    return External(anchor, display_name)


def unique_among_siblings(elements: list[tuple[str, etree._Element]]) -> None:
    """Raises the uniqueness-failure of the first element whose key another one before it has (RFC 4826 3.4.5).

    The elements come with their local names.
    """
    seen: set[tuple[str, str]] = set()
    for name, element in elements:
        value = element.get(_KEYS[name]) if name in _KEYS else None
        if value is None:
            continue
        if (name, value) in seen:
            text = f"{place(element)}: {_KEYS[name]} {value!r} is there twice"
            raise XmlError(text, "uniqueness-failure", f"{selector_of(element)}/@{_KEYS[name]}")
        seen.add((name, value))


def selector_of(element: etree._Element) -> str:
    """An XCAP node selector for an element whose ancestors have the default document namespace (RFC 4825 6.3)."""
    return place(element).partition(" (")[0]
