"""Reading and writing XML documents that come from strangers.

A document is refused before any parser sees it when it is too long, is not UTF-8 or has a document type declaration:
without one there are no entities, and so no entity expansion and nothing to fetch.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import cast

from lxml import etree

MAX_BYTES = 1 << 20
MOST_NOTES = 16

XML_NAMESPACE = "http://www.w3.org/XML/1998/namespace"

_DECLARED_ENCODING = re.compile(rb"""<\?xml[^>]{0,200}?\sencoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_UTF_8_NAMES = frozenset({b"utf-8", b"utf8", b"us-ascii", b"ascii"})
# XML Schema part 2, 3.2.2: the lexical space of xs:boolean.
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
# 20 digits hold every xs:unsignedLong; more would only be work for int().
_NON_NEGATIVE = re.compile(r"\+?[0-9]{1,20}")
# What XML 1.0 production 2 (Char) leaves out.
_NO_CHAR = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
_USUAL_DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>'
# XML 1.0 2.4, 2.11 and 3.3.3: markup, and the white space that a reader would normalise.
_IN_TEXT = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}
_IN_ATTRIBUTE = {**_IN_TEXT, '"': "&quot;", "\t": "&#9;", "\n": "&#10;"}
_ESCAPED_IN_TEXT = re.compile("[&<>\r]")
_ESCAPED_IN_ATTRIBUTE = re.compile('[&<>"\t\n\r]')
# One for all: to make it costs more than to read a short document.
_PARSER = etree.XMLParser(
    encoding="utf-8",
    resolve_entities=False,
    load_dtd=False,
    no_network=True,
    huge_tree=False,
    remove_comments=True,
    remove_pis=True,
)


class XmlError(ValueError):
    """A document that cannot be taken; the text says what is wrong and where.

    `condition` is the RFC 4825 section 11.1 name of the fault: not-well-formed, not-utf-8, schema-validation-error,
    constraint-failure or uniqueness-failure; of the last, `field` selects what should have been unique.
    """

    def __init__(self, text: str, condition: str = "schema-validation-error", field: str = "") -> None:
        super().__init__(text)
        self.condition = condition
        self.field = field


def parse(data: bytes, *, limit: int = MAX_BYTES) -> etree._Element:
    """The root element of `data`, comments and processing instructions left out. Raises `XmlError`."""
    if len(data) > limit:
        raise XmlError(f"the document has {len(data)} bytes, at most {limit} are read", "not-well-formed")
    _check_encoding(data)
    _refuse_document_type(data)
    try:
        root = etree.fromstring(data, _PARSER)
    except (etree.XMLSyntaxError, ValueError) as error:
        text = getattr(error, "msg", None) or str(error) or "empty document"
        raise XmlError(f"not well-formed XML: {text}", "not-well-formed") from None
    return root


def _check_encoding(data: bytes) -> None:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise XmlError(f"not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start}", "not-utf-8") from None
    # UTF-16 without a byte order mark is valid UTF-8 full of NULs, and parsers detect it.
    if b"\x00" in data:
        raise XmlError(f"not UTF-8 text: NUL at offset {data.index(0)}", "not-utf-8")
    if data.startswith(_USUAL_DECLARATION):
        return
    declared = _DECLARED_ENCODING.match(data.removeprefix(b"\xef\xbb\xbf"))
    if declared is not None and declared[1].lower() not in _UTF_8_NAMES:
        raise XmlError(f"the XML declaration says encoding {declared[1].decode('ascii')}, not UTF-8", "not-utf-8")


def _refuse_document_type(data: bytes) -> None:
    """Walks the prolog (XML 1.0 production 22) up to the root element; a DOCTYPE can stand nowhere else."""
    at = 3 if data.startswith(b"\xef\xbb\xbf") else 0
    while (at := data.find(b"<", at)) >= 0:
        if data.startswith(b"<?", at):
            end = data.find(b"?>", at + 2)
        elif data.startswith(b"<!--", at):
            end = data.find(b"-->", at + 4)
        elif data.startswith(b"<!", at):
            raise XmlError("document type declarations and entities are not accepted", "not-well-formed")
        else:
            return
        if end < 0:
            return
        at = end


def serialise(root: etree._Element) -> bytes:
    """UTF-8 with an XML declaration, no white space added."""
    return _DECLARATION.encode() + etree.tostring(root, encoding="UTF-8", xml_declaration=False)


def written(name: str, content: str | None, attributes: Mapping[str, object]) -> str:
    """One element as `serialise` would write it, for documents that are sent very often: no tree is built.

    `name` and the names of attributes are ours; `content` is elements already written, or `character_data`. Attributes
    that are None are left out.
    """
    opened = f"<{name}" + "".join(
        [f' {key}="{_attribute_value(str(value))}"' for key, value in attributes.items() if value is not None]
    )
    return f"{opened}/>" if content is None else f"{opened}>{content}</{name}>"


def written_document(root: str) -> bytes:
    """The document with this root element, which `written` gave; its `xmlns` is one of the attributes."""
    return (_DECLARATION + root).encode()


def character_data(text: str) -> str:
    """Text from a peer as it stands between two tags."""
    return _ESCAPED_IN_TEXT.sub(lambda found: _IN_TEXT[found[0]], writable(text))


def _attribute_value(text: str) -> str:
    return _ESCAPED_IN_ATTRIBUTE.sub(lambda found: _IN_ATTRIBUTE[found[0]], writable(text))


def new_root(namespace: str, name: str, prefixes: Mapping[str, str] | None = None) -> etree._Element:
    """A root element that declares its namespace as the default one, and `prefixes` beside it."""
    namespaces = cast(Mapping[str, str], {None: namespace, **(prefixes or {})})  # the stubs do not know the key None
    return etree.Element(qualified(namespace, name), nsmap=namespaces)


def append(
    parent: etree._Element,
    name: str,
    text: str | None = None,
    attributes: Mapping[str, object] | None = None,
    namespace: str | None = None,
) -> etree._Element:
    """A new last child, in the namespace of its parent unless told; attributes that are None are left out."""
    element = etree.SubElement(parent, qualified(namespace_of(parent) if namespace is None else namespace, name))
    for key, value in (attributes or {}).items():
        if value is not None:
            element.set(key, writable(str(value)))
    if text is not None:
        element.text = writable(text)
    return element


def writable(text: str) -> str:
    """Text from a peer with U+FFFD for each character that no XML document can hold."""
    return _NO_CHAR.sub("\ufffd", text)


def root_of(data: bytes, namespace: str, name: str) -> etree._Element:
    """The root element, which has to be `name` of `namespace`. Raises `XmlError`."""
    root = parse(data)
    expected = qualified(namespace, name)
    if root.tag != expected:
        raise XmlError(f"the root element is {shown(root)}, expected {name} of namespace {namespace or '(none)'}")
    return root


def qualified(namespace: str, name: str) -> str:
    """lxml's spelling of an expanded name."""
    return f"{{{namespace}}}{name}" if namespace else name


def local_name(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[2]


def namespace_of(element: etree._Element) -> str:
    return str(element.tag)[1:].partition("}")[0] if str(element.tag).startswith("{") else ""


def shown(element: etree._Element) -> str:
    """An element's name for a human."""
    namespace = namespace_of(element)
    return f"{local_name(element)} of namespace {namespace}" if namespace else f"{local_name(element)} of no namespace"


def place(element: etree._Element) -> str:
    """Where an element stands: `reginfo/registration[2]/contact[1]`, with the line."""
    steps: list[str] = []
    node: etree._Element | None = element
    while node is not None:
        name = local_name(node)
        before = sum(1 for _ in node.itersiblings(node.tag, preceding=True))
        alone = not before and next(node.itersiblings(node.tag), None) is None
        steps.append(name if alone else f"{name}[{before + 1}]")
        node = node.getparent()
    line = element.sourceline
    return "/".join(reversed(steps)) + (f" (line {line})" if line else "")


def note(notes: list[str], kind: str, element: etree._Element, more: str = "") -> None:
    """Adds one departure from the schema and its place to `notes`, while they are fewer than `MOST_NOTES`.

    To find a place costs as much as there are siblings before it, so a peer must not choose how often that is done.
    """
    if len(notes) < MOST_NOTES:
        notes.append(f"{kind}: {place(element)}{more}")


def children(element: etree._Element, namespace: str) -> Iterator[tuple[str, etree._Element]]:
    """The child elements of one namespace with their local names; elements of others are passed over."""
    prefix = qualified(namespace, "")
    for child in element:
        tag = child.tag
        if isinstance(tag, str) and tag.startswith(prefix) and (prefix or not tag.startswith("{")):
            yield tag[len(prefix) :], child


def strict_children(
    element: etree._Element, namespace: str, order: Sequence[str], repeated: Collection[str] = ()
) -> list[tuple[str, etree._Element]]:
    """The children of one namespace, which must be among `order`, once each unless `repeated`, without text between.

    Elements of other namespaces are passed over: the schemas here allow them everywhere. One of no namespace is an
    error, as xs:any with ##other excludes it.
    """
    found: list[tuple[str, etree._Element]] = []
    names = {qualified(namespace, name): name for name in order}
    for child in element:
        tail = child.tail
        if tail is not None and tail.strip():
            raise XmlError(f"{place(element)}: text {tail.strip()[:40]!r} between the elements")
        name = names.get(child.tag)
        if name is None:
            if namespace_of(child) not in ("", namespace):
                continue
            expected = ", ".join(order) or "no element"
            raise XmlError(f"{place(child)}: {shown(child)} cannot stand here, expected {expected}")
        if name not in repeated and any(name == before for before, _ in found):
            raise XmlError(f"{place(child)}: a second {name}")
        found.append((name, child))
    if (element.text or "").strip():
        raise XmlError(f"{place(element)}: text {(element.text or '').strip()[:40]!r} where elements are expected")
    return found


def in_order(element: etree._Element, names: Sequence[str], order: Sequence[str]) -> None:
    """Raises `XmlError` unless `names` come in the order of the schema."""
    if list(names) != sorted(names, key=order.index):
        raise XmlError(f"{place(element)}: the order is {', '.join(order)}, found {', '.join(names)}")


def text_of(element: etree._Element | None) -> str:
    """The character data of an element without the white space around it."""
    return "" if element is None else (element.text or "").strip()


def required(element: etree._Element, attribute: str) -> str:
    value = element.get(attribute)
    if value is None:
        raise XmlError(f"{place(element)} has no attribute {attribute}")
    return value


def boolean(text: str | None) -> bool | None:
    """xs:boolean; None for what is none."""
    return None if text is None else _BOOLEANS.get(text.strip())


def non_negative(text: str | None) -> int | None:
    """xs:nonNegativeInteger of at most 20 digits; None for what is none."""
    text = (text or "").strip()
    return int(text) if _NON_NEGATIVE.fullmatch(text) else None
