"""PoC user access policy: application/auth-policy+xml of the application usage org.openmobilealliance.poc-rules."""

from typing import Final

from talkburst.xml.common_policy import NAMESPACE, Rule, ruleset
from talkburst.xml.document import XmlError, root_of

MEDIA_TYPE: Final = "application/auth-policy+xml"
POC_NAMESPACE: Final = "urn:oma:xml:poc:poc-rules"
ALLOW_INVITE: Final = f"{{{POC_NAMESPACE}}}allow-invite"

# From the least to the most permissive: of several matching rules the highest wins (RFC 4745 10.2).
ALLOW_INVITE_VALUES: Final = ("reject", "pass", "accept")


def from_xml(data: bytes) -> list[Rule]:
    """The rules of a document; each value of the action allow-invite is known. Raises `XmlError`."""
    rules = ruleset(root_of(data, NAMESPACE, "ruleset"))
    for rule in rules:
        value = rule.actions.get(ALLOW_INVITE)
        if value is not None and value not in ALLOW_INVITE_VALUES:
            raise XmlError(f"rule {rule.id!r}: allow-invite {value[:40]!r} is none of {', '.join(ALLOW_INVITE_VALUES)}")
    return rules
