"""Every XML body of a demo is valid against the schema of the RFC that defines its namespace."""

from collections import Counter
from pathlib import Path

import pytest
from lxml import etree

from demo_capture import Capture
from rfc_schemas import SCHEMAS, schema
from tshark import damaged

pytestmark = pytest.mark.acceptance

# OMA's alone: their schemas stand in no RFC.
WITHOUT_RFC = {"urn:oma:xml:xdm:xcap-directory", "urn:oma:xml:poc:list-service"}


def faults(body: bytes) -> list[str]:
    """What the schema of the root element's namespace has against a document."""
    root = etree.fromstring(body)
    namespace = etree.QName(root).namespace or ""
    if namespace in WITHOUT_RFC:
        return []
    rules = schema(namespace)
    return [] if rules.validate(root) else [str(error) for error in rules.error_log]


def namespaces(bodies: list[bytes]) -> Counter[str]:
    return Counter(etree.QName(etree.fromstring(body)).namespace or "" for body in bodies)


def test_every_xml_body_of_a_demo_is_valid(capture: Capture) -> None:
    bodies = capture.xml_bodies
    assert {body: found for body in bodies if (found := faults(body))} == {}
    counted = namespaces(bodies)
    assert counted["urn:ietf:params:xml:ns:reginfo"] >= 2
    assert counted["urn:oma:params:xml:ns:poc:poc-settings"] >= 4
    assert counted["urn:ietf:params:xml:ns:resource-lists"] >= 1
    assert set(counted) <= {*SCHEMAS, *WITHOUT_RFC}


def test_no_sip_body_of_a_demo_is_anything_but_xml(capture: Capture) -> None:
    assert capture.other_sip_bodies == []


@pytest.mark.parametrize("capture", [("first-client", "udp")], indirect=True, ids="-".join)
@pytest.mark.parametrize("instead", [b"application/reginfo-xml", b"text/plain; x=reg/a+xml"])
def test_a_body_that_says_it_is_something_else_is_found(capture: Capture, tmp_path: Path, instead: bytes) -> None:
    altered = damaged(capture, tmp_path / "damaged.pcap", b"application/reginfo+xml", instead)
    assert altered.other_sip_bodies


@pytest.mark.parametrize("capture", [("first-client", "udp")], indirect=True, ids="-".join)
@pytest.mark.parametrize(
    ("sent", "instead"),
    [
        (b'state="active"', b'state="alive"'),
        (b"<answer-mode>", b"<answer-mood>"),
        (b"<am-settings>", b"<am-setting>"),
        (b"<entry uri=", b"<entry url="),
    ],
)
def test_schemas_find_a_wrong_body(capture: Capture, sent: bytes, instead: bytes) -> None:
    altered = [
        body.replace(sent, instead).replace(sent.replace(b"<", b"</"), instead.replace(b"<", b"</"))
        for body in capture.xml_bodies
        if sent in body and not WITHOUT_RFC & set(namespaces([body]))
    ]
    assert altered
    assert all(faults(body) for body in altered)
