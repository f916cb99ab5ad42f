import pytest

from talkburst.xml import XmlError, xcap_caps, xcap_directory, xcap_error
from talkburst.xml.xcap_caps import XcapCapabilities
from talkburst.xml.xcap_directory import DirectoryEntry, Folder
from talkburst.xml.xcap_error import XcapFault

HEAD = b'<?xml version="1.0" encoding="UTF-8"?>\n'


def test_a_directory_is_written_and_read_back() -> None:
    folders = [
        Folder("resource-lists", [DirectoryEntry("/r/index", "e1", 1763812921.0, 120)]),
        Folder("org.openmobilealliance.poc-groups", [DirectoryEntry("/g/a", "e2")]),
        Folder("org.openmobilealliance.poc-rules", error_code="503 Service Unavailable"),
    ]
    written = xcap_directory.to_xml(folders)
    assert written == HEAD + (
        b'<xcap-directory xmlns="urn:oma:xml:xdm:xcap-directory"><folder auid="resource-lists">'
        b'<entry uri="/r/index" etag="e1" last-modified="2025-11-22T12:02:01Z" size="120"/></folder>'
        b'<folder auid="org.openmobilealliance.poc-groups"><entry uri="/g/a" etag="e2"/></folder>'
        b'<folder auid="org.openmobilealliance.poc-rules"><error-code>503 Service Unavailable</error-code></folder>'
        b"</xcap-directory>"
    )
    assert xcap_directory.from_xml(written) == folders


def test_quotes_around_the_etags_of_a_directory_and_broken_times_are_read_over() -> None:
    data = (
        b'<xcap-directory xmlns="urn:oma:xml:xdm:xcap-directory"><folder auid="a"><entry uri="u" etag="&quot;e&quot;"'
        b' last-modified="yesterday" size="big"/></folder></xcap-directory>'
    )
    assert xcap_directory.from_xml(data) == [Folder("a", [DirectoryEntry("u", "e")])]


@pytest.mark.parametrize(
    ("fault", "inside"),
    [
        (XcapFault("not-well-formed", "line 3"), b'<not-well-formed phrase="line 3"/>'),
        (
            XcapFault("no-parent", "", ancestor="/xcap-root/resource-lists"),
            b"<no-parent><ancestor>/xcap-root/resource-lists</ancestor></no-parent>",
        ),
        (
            XcapFault("uniqueness-failure", "taken", None, "group/list-service[1]/@uri", ("sip:a2@b", "sip:a3@b")),
            b'<uniqueness-failure phrase="taken"><exists field="group/list-service[1]/@uri">'
            b"<alt-value>sip:a2@b</alt-value><alt-value>sip:a3@b</alt-value></exists></uniqueness-failure>",
        ),
    ],
)
def test_an_xcap_error_is_written_and_read_back(fault: XcapFault, inside: bytes) -> None:
    written = xcap_error.to_xml(fault)
    assert written == HEAD + b'<xcap-error xmlns="urn:ietf:params:xml:ns:xcap-error">' + inside + b"</xcap-error>"
    assert xcap_error.from_xml(written) == fault


def test_an_xcap_error_without_an_error_is_refused() -> None:
    with pytest.raises(XmlError, match="no error element"):
        xcap_error.from_xml(b'<xcap-error xmlns="urn:ietf:params:xml:ns:xcap-error"/>')


def test_capabilities_come_in_the_order_of_the_schema() -> None:
    capabilities = XcapCapabilities(("xcap-caps", "resource-lists"), ("urn:ietf:params:xml:ns:xcap-caps",))
    written = xcap_caps.to_xml(capabilities)
    assert written == HEAD + (
        b'<xcap-caps xmlns="urn:ietf:params:xml:ns:xcap-caps"><auids><auid>xcap-caps</auid><auid>resource-lists</auid>'
        b"</auids><extensions/><namespaces><namespace>urn:ietf:params:xml:ns:xcap-caps</namespace></namespaces>"
        b"</xcap-caps>"
    )
    assert xcap_caps.from_xml(written) == capabilities
