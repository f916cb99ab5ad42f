"""XML documents of SIP, IMS, PoC and XDM: typed values on one side, bytes on the other.

The only room that touches lxml. `from_xml` of each module raises `XmlError` for what a peer got wrong and nothing else.
"""

from talkburst.xml.document import MAX_BYTES, XmlError

__all__ = ["MAX_BYTES", "XmlError"]
