"""XCAP URIs (RFC 4825 section 6): root, application usage, tree, user, document, node selector."""

import re
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import quote, unquote_to_bytes

Tree = Literal["users", "global"]

# RFC 3986 3.3: what may stand in a path segment as it is. "/" and "?" of an XUI are not among it (RFC 4825 6.2).
_SEGMENT: Final = "-._~!$&'()*+,;=:@"
_SELECTOR: Final = "/-._~!$&'()*+,;=:@"
# RFC 4825 6.4: xmlns() parts, a caret before ) or ( or ^ inside.
_XMLNS = re.compile(r"xmlns\(\s*([A-Za-z_][\w.-]*)\s*=((?:[^()^]|\^.)*)\)")
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


class XcapUriError(ValueError):
    """A request target that names nothing an XCAP server could have."""


@dataclass(slots=True, frozen=True)
class XcapUri:
    """One resource below an XCAP root; everything is decoded.

    `path` holds the segments of the document below the user's home or below global. `node` is the text of the node
    selector behind "~~", None for the whole document; `namespaces` are the prefixes that the query binds for it.
    """

    auid: str
    tree: Tree
    xui: str = ""
    path: tuple[str, ...] = ()
    node: str | None = None
    namespaces: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        """The URI relative to the root: `resource-lists/users/sip:alice@ims.example/index`."""
        segments = [self.auid, self.tree, *([self.xui] if self.tree == "users" else []), *self.path]
        text = "/".join(quote(segment, safe=_SEGMENT) for segment in segments)
        if self.node is not None:
            text += "/~~/" + quote(self.node, safe=_SELECTOR)
        if self.namespaces:
            text += "?" + "".join(f"xmlns({prefix}={quote(name, safe=_SELECTOR)})" for prefix, name in self.namespaces)
        return text

    @property
    def document(self) -> str:
        """The document's path as one text."""
        return "/".join(self.path)


def user_document(auid: str, xui: str, *path: str) -> XcapUri:
    """A document in a user's home directory."""
    return XcapUri(auid, "users", xui, path)


def parse(target: str, root: str) -> XcapUri:
    """Reads a request target (path and query, or an absolute URL) below `root`, a path such as /xcap-root.

    Brackets and quotes need not be escaped: clients in the field send them raw. Raises `XcapUriError`.
    """
    path, question, query = _without_authority(target).partition("?")
    segments = path.split("/")
    base = [_decoded(segment) for segment in root.rstrip("/").split("/")]
    if [_decoded(segment) for segment in segments[: len(base)]] != base:
        raise XcapUriError(f"nothing is here; documents are below {root}")
    below = segments[len(base) :]
    # RFC 4825 6: the node selector starts at the first segment that is "~~", escaped or not.
    split = next((index for index, segment in enumerate(below) if _decoded(segment) == "~~"), None)
    node = None if split is None else _decoded("/".join(below[split + 1 :]))
    if node is not None and not node:
        raise XcapUriError("the node selector behind ~~ is empty")
    return _resource([_decoded(segment) for segment in below[:split]], node, _namespaces(query) if question else ())


def parse_entry(uri: str, root: str) -> XcapUri:
    """Reads the uri of a directory entry: absolute, a path with the root, or, as OMA servers write, below the root."""
    try:
        return parse(uri, root)
    except XcapUriError:
        return parse("/" + _without_authority(uri).lstrip("/"), "")


def _resource(segments: list[str], node: str | None, namespaces: tuple[tuple[str, str], ...]) -> XcapUri:
    if not segments or not segments[0]:
        raise XcapUriError("the XCAP root itself holds nothing; an application usage has to follow")
    auid, rest = segments[0], segments[1:]
    if not rest or rest[0] not in ("users", "global"):
        raise XcapUriError(f"behind {auid} comes users or global")
    tree: Tree = "users" if rest[0] == "users" else "global"
    xui, path = (rest[1] if len(rest) > 1 else "", rest[2:]) if tree == "users" else ("", rest[1:])
    if tree == "users" and not xui:
        raise XcapUriError("behind users comes the user, such as sip:alice@ims.example")
    if any(segment in ("", ".", "..") for segment in path):
        raise XcapUriError(f"{'/'.join(path)!r} is no document: it has an empty or relative segment")
    return XcapUri(auid, tree, xui, tuple(path), node, namespaces)


def _without_authority(target: str) -> str:
    scheme, separator, rest = target.partition("://")
    if separator and scheme.lower() in ("http", "https"):
        return "/" + rest.partition("/")[2]
    return target


def _decoded(text: str) -> str:
    if _BROKEN_ESCAPE.search(text):
        raise XcapUriError(f"{text!r} has a % without two hexadecimal digits")
    try:
        return unquote_to_bytes(text).decode("utf-8")
    except UnicodeDecodeError:
        raise XcapUriError(f"{text!r} is not UTF-8 when unescaped") from None


def _namespaces(query: str) -> tuple[tuple[str, str], ...]:
    """The xmlns() parts of the query; parts of other schemes are ignored (RFC 4825 6.4)."""
    return tuple((match[1], re.sub(r"\^(.)", r"\1", match[2])) for match in _XMLNS.finditer(_decoded(query)))
