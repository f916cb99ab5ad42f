"""The messages that RFC 4475 and RFC 5118 carry with them, taken from the texts that Debian's doc-rfc packages install.

Nothing of those texts is kept here.
"""

import base64
import io
import re
import tarfile

from rfc_schemas import rfc

_ARCHIVE = re.compile(r"-- BEGIN MESSAGE ARCHIVE --(.*?)-- END MESSAGE ARCHIVE --", re.DOTALL)
# The top Via up to its port.
_TOP_VIA = re.compile(
    rb"(\r\n(?:via|v)[ \t]*:\s*SIP\s*/\s*[0-9.]+\s*/\s*\w+\s+(?:\[[^\]]*\]|[^\s;,:]+))(?::\d+)?", re.IGNORECASE
)
_LENGTH = re.compile(rb"\r\nContent-Length: \d+")


def archive(number: int) -> dict[str, bytes]:
    """The messages of an RFC by their names, octet for octet. The script that takes them out has the same marks, before
    the archive itself.
    """
    packed = base64.b64decode("".join(_ARCHIVE.findall(rfc(number))[-1].split()))
    found: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as tar:
        for member in tar.getmembers():
            file = tar.extractfile(member)
            if file is not None:
                found[member.name.rpartition("/")[2].removesuffix(".dat")] = file.read()
    return found


def messages() -> dict[str, bytes]:
    """Those of both RFCs as SIP has them on the wire."""
    found = archive(4475)
    found["baddn"] += b"" if found["baddn"].endswith(b"\r\n\r\n") else b"\r\n"
    return found | {name: _repaired(name, data) for name, data in archive(5118).items()}


def _repaired(name: str, data: bytes) -> bytes:
    """RFC 5118 has LF for CRLF, leaves the last empty line out, and counts neither right. Many of its messages have
    Call-ID, tag and CSeq in common, which makes them one request that came twice (RFC 3261 8.2.2.2).
    """
    head, _, body = data.replace(b"\n", b"\r\n").partition(b"\r\n\r\n")
    head = head.replace(b"\r\nCall-ID: ", b"\r\nCall-ID: %s." % name.encode())
    return _LENGTH.sub(b"\r\nContent-Length: %d" % len(body), head.rstrip(b"\r\n")) + b"\r\n\r\n" + body


def answered_at(data: bytes, port: int) -> bytes:
    """A message whose answer comes to this port of whoever sends it."""
    return _TOP_VIA.sub(rb"\g<1>:%d" % port, data, count=1)
