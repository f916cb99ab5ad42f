"""What somebody asks to be kept from those who are not trusted (RFC 3323 4.2, RFC 3325 7)."""

from __future__ import annotations

import re
from typing import Final

from .message import Request, Response

# The grammar has only ";", but whoever writes "id, header" wants no less privacy.
_SEPARATOR: Final = re.compile("[;,]")


def hides_identity(message: Request | Response) -> bool:
    """Whether a request or a response has `Privacy: id`: P-Asserted-Identity goes to nobody who is not trusted."""
    values = message.get_all("Privacy")
    return any(part.strip().lower() == "id" for value in values for part in _SEPARATOR.split(value))
