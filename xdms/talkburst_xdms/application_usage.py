"""The application usages served here (RFC 4825 section 5): media types, namespaces, and what makes a document valid."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from talkburst.sip.uri import SipUri, TelUri, UriError, parse_uri
from talkburst.xml import XmlError, poc_groups, poc_rules, resource_lists, xcap_caps, xcap_directory
from talkburst.xml.common_policy import NAMESPACE as COMMON_POLICY

POC_GROUPS: Final = "org.openmobilealliance.poc-groups"
POC_RULES: Final = "org.openmobilealliance.poc-rules"
RESOURCE_LISTS: Final = "resource-lists"
XCAP_DIRECTORY: Final = "org.openmobilealliance.xcap-directory"
XCAP_CAPS: Final = "xcap-caps"


@dataclass(slots=True, frozen=True)
class GroupUri:
    """The address of a PoC group, which one document in the whole server may hold.

    `field` selects it in its document.
    """

    uri: str
    canonical: str
    field: str


@dataclass(slots=True, frozen=True)
class ApplicationUsage:
    """One usage. `namespace` is the default document namespace of node selectors.

    `check` takes a document and the domain of its owner, raises XmlError for what is wrong, and returns the group
    addresses in it. None for documents that nobody can store.
    """

    auid: str
    media_type: str
    namespace: str
    check: Callable[[bytes, str], list[GroupUri]] | None = None


def _check_lists(body: bytes, _: str) -> list[GroupUri]:
    resource_lists.from_xml(body)
    return []


def _check_rules(body: bytes, _: str) -> list[GroupUri]:
    poc_rules.from_xml(body)
    return []


def _check_groups(body: bytes, domain: str) -> list[GroupUri]:
    found: dict[str, GroupUri] = {}
    for position, service in enumerate(poc_groups.from_xml(body), 1):
        field = poc_groups.uri_field(position)
        canonical = _group_address(service.uri, field, domain)
        if canonical in found:
            raise XmlError(f"{field}: {service.uri!r} is there twice", "uniqueness-failure", field)
        found[canonical] = GroupUri(service.uri, canonical, field)
    return list(found.values())


def _group_address(text: str, field: str, domain: str) -> str:
    try:
        uri = parse_uri(text)
    except UriError as error:
        raise XmlError(f"{field}: {error}", "constraint-failure") from None
    if isinstance(uri, SipUri):
        if uri.host != domain and not uri.host.endswith(f".{domain}"):
            raise XmlError(f"{field}: {text!r} is not in the domain {domain}", "constraint-failure")
    elif not isinstance(uri, TelUri):
        raise XmlError(f"{field}: {text!r} is neither a SIP nor a tel URI", "constraint-failure")
    return uri.addr_of_record()


USAGES: Final[Mapping[str, ApplicationUsage]] = {
    usage.auid: usage
    for usage in (
        ApplicationUsage(POC_GROUPS, poc_groups.MEDIA_TYPE, poc_groups.NAMESPACE, _check_groups),
        ApplicationUsage(POC_RULES, poc_rules.MEDIA_TYPE, COMMON_POLICY, _check_rules),
        ApplicationUsage(RESOURCE_LISTS, resource_lists.MEDIA_TYPE, resource_lists.NAMESPACE, _check_lists),
        ApplicationUsage(XCAP_DIRECTORY, xcap_directory.MEDIA_TYPE, xcap_directory.NAMESPACE),
        ApplicationUsage(XCAP_CAPS, xcap_caps.MEDIA_TYPE, xcap_caps.NAMESPACE),
    )
}

NAMESPACES: Final = (
    *dict.fromkeys(usage.namespace for usage in USAGES.values()),
    poc_rules.POC_NAMESPACE,
    "urn:oma:xml:xdm:common-policy",
)
