"""What a third-party REGISTER carries as its body (TS 24.229 5.4.1.7 and 7.6).

ServiceInfo of the criterion as application/3gpp-ims+xml, the user's REGISTER and the 200 to it as message/sip. A single
part goes bare, several in multipart/mixed.
"""

from collections.abc import Callable
from typing import Final
from xml.sax.saxutils import escape

from talkburst.sip import Request, Response
from talkburst.xml.ims_subscription import ApplicationServer
from talkburst_core.filter_criteria import RegistrationType

SERVICE_INFO: Final = "application/3gpp-ims+xml"
SIP_MESSAGE: Final = "message/sip"

Content = tuple[bytes, str]
"""A body and its Content-Type."""


def body_of(
    server: ApplicationServer,
    kind: RegistrationType,
    request: Request | None,
    response: Response | None,
    token: Callable[[], str],
) -> Content | None:
    """The body that the criterion asks for; None when it asks for nothing, or there is nothing to carry."""
    parts: list[Content] = []
    if server.service_info is not None and kind is not RegistrationType.DE_REGISTRATION:
        parts.append((_service_info(server.service_info), SERVICE_INFO))
    if server.include_register_request and request is not None:
        parts.append((request.to_bytes(), SIP_MESSAGE))
    if server.include_register_response and response is not None:
        parts.append((response.to_bytes(), SIP_MESSAGE))
    if len(parts) < 2:
        return parts[0] if parts else None
    return _multipart(parts, token())


def _service_info(text: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<ims-3gpp version="1"><service-info>{escape(text)}</service-info></ims-3gpp>\n'
    ).encode()


def _multipart(parts: list[Content], boundary: str) -> Content:
    """RFC 2046 5.1."""
    delimiter = f"--{boundary}\r\n".encode()
    body = b"".join(
        delimiter + f"Content-Type: {media_type}\r\n\r\n".encode() + content + b"\r\n" for content, media_type in parts
    )
    return body + f"--{boundary}--\r\n".encode(), f'multipart/mixed;boundary="{boundary}"'
