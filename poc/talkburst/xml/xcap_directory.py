"""The documents of a user: application/vnd.oma.xcap-directory+xml (OMA XDM core)."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from talkburst.xml.document import append, children, new_root, non_negative, required, root_of, serialise, text_of

NAMESPACE: Final = "urn:oma:xml:xdm:xcap-directory"
MEDIA_TYPE: Final = "application/vnd.oma.xcap-directory+xml"


@dataclass(slots=True)
class DirectoryEntry:
    """A document. `etag` without quotes; `last_modified` in seconds since the epoch; `size` in bytes."""

    uri: str
    etag: str
    last_modified: float | None = None
    size: int | None = None


@dataclass(slots=True)
class Folder:
    """The documents of one application usage; `error_code` instead of them when they could not be listed."""

    auid: str
    entries: list[DirectoryEntry] = field(default_factory=list)
    error_code: str | None = None


def to_xml(folders: Iterable[Folder]) -> bytes:
    root = new_root(NAMESPACE, "xcap-directory")
    for folder in folders:
        element = append(root, "folder", attributes={"auid": folder.auid})
        if folder.error_code is not None:
            append(element, "error-code", folder.error_code)
            continue
        for entry in folder.entries:
            attributes = {
                "uri": entry.uri,
                "etag": entry.etag,
                "last-modified": None if entry.last_modified is None else _date_time(entry.last_modified),
                "size": entry.size,
            }
            append(element, "entry", attributes=attributes)
    return serialise(root)


def from_xml(data: bytes) -> list[Folder]:
    """Reads a directory; a time that is none is left out. Raises `XmlError`."""
    folders: list[Folder] = []
    for name, element in children(root_of(data, NAMESPACE, "xcap-directory"), NAMESPACE):
        if name != "folder":
            continue
        folder = Folder(required(element, "auid"))
        for kind, child in children(element, NAMESPACE):
            if kind == "entry":
                uri, etag = required(child, "uri").strip(), required(child, "etag").strip().strip('"')
                modified, size = _seconds(child.get("last-modified")), non_negative(child.get("size"))
                folder.entries.append(DirectoryEntry(uri, etag, modified, size))
            elif kind == "error-code":
                folder.error_code = text_of(child)
        folders.append(folder)
    return folders


def _date_time(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _seconds(text: str | None) -> float | None:
    try:
        moment = datetime.fromisoformat((text or "").strip())
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
