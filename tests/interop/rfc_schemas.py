"""The XML schemas of RFCs, taken from the texts that Debian's doc-rfc packages install.

Nothing of those texts is kept here. `TALKBURST_RFCS` names another directory with `rfcNNNN.txt` or `rfcNNNN.txt.gz`.
"""

import functools
import gzip
import os
import re
from pathlib import Path

from lxml import etree

from harness import go_without

DIRECTORY = Path(os.environ.get("TALKBURST_RFCS", "/usr/share/doc/RFC/links"))

# Where the schema of a root element's namespace stands, and what it imports.
SCHEMAS = {
    "urn:ietf:params:xml:ns:reginfo": 3680,
    "urn:oma:params:xml:ns:poc:poc-settings": 4354,
    "urn:ietf:params:xml:ns:resource-lists": 4826,
    "urn:ietf:params:xml:ns:common-policy": 4745,
    "urn:ietf:params:xml:ns:xcap-caps": 4825,
    "urn:ietf:params:xml:ns:xcap-error": 4825,
}
# What the schemas import of the XML namespace itself.
XML_ATTRIBUTES = b"""<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"
    targetNamespace="http://www.w3.org/XML/1998/namespace">
  <xs:attribute name="lang" type="xs:language"/>
</xs:schema>"""

_SCHEMA = re.compile(r"<(xs|xsd):schema\b.*?</\1:schema>", re.DOTALL)
# The foot of a page, the page break and the head of the next one.
_PAGE_BREAK = re.compile(r"\n*\n[^\n]*\[Page \d+\]\n\f?\n?(RFC \d+[^\n]*\n)?\n*")


def rfc(number: int) -> str:
    """The text of an RFC without its page breaks; without the package the test is skipped, under CI it fails."""
    found = [path for path in (DIRECTORY / f"rfc{number}.txt.gz", DIRECTORY / f"rfc{number}.txt") if path.exists()]
    if not found:
        go_without(f"no rfc{number}.txt.gz in {DIRECTORY}: Debian's doc-rfc packages are not installed")
    octets = found[0].read_bytes()
    text = gzip.decompress(octets) if found[0].suffix == ".gz" else octets
    return _PAGE_BREAK.sub("\n", text.decode(errors="replace"))


class _Imports(etree.Resolver):
    """Gives a schema what it imports, and never asks the network."""

    def resolve(self, system_url, public_id, context):  # type: ignore[no-untyped-def]
        return self.resolve_string(XML_ATTRIBUTES, context)


@functools.cache
def schema(namespace: str) -> etree.XMLSchema:
    """The schema of a namespace. KeyError for one that no RFC has a schema for."""
    parser = etree.XMLParser(no_network=True)
    parser.resolvers.add(_Imports())
    for found in _SCHEMA.finditer(rfc(SCHEMAS[namespace])):
        document = etree.fromstring(found.group().encode(), parser)
        if document.get("targetNamespace") == namespace:
            return etree.XMLSchema(document)
    raise AssertionError(f"RFC {SCHEMAS[namespace]} has no schema of {namespace}")
