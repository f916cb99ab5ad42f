import pytest

from talkburst.xml.document import MAX_BYTES, XmlError, append, new_root, parse, serialise

BOMB = b"""<?xml version="1.0"?>
<!-- a prolog --><?target?>
<!DOCTYPE a [<!ENTITY b "bbbbbbbb"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>
<a at="&c;">&c;</a>"""


@pytest.mark.parametrize(
    ("data", "condition", "text"),
    [
        (BOMB, "not-well-formed", "document type declarations"),
        (b"\xef\xbb\xbf<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>", "not-well-formed", "document type"),
        (b"<a>", "not-well-formed", "not well-formed"),
        (b"", "not-well-formed", "not well-formed"),
        (b"plain text", "not-well-formed", "not well-formed"),
        (b"<a>&undefined;</a>", "not-well-formed", "undefined"),
        (b"<a>\xff</a>", "not-utf-8", "0xff at offset 3"),
        (b"<?xml version='1.0' encoding='ISO-8859-1'?><a/>", "not-utf-8", "ISO-8859-1"),
        ("<a/>".encode("utf-16-le"), "not-utf-8", "NUL"),
        ("<a/>".encode("utf-16"), "not-utf-8", "0xff at offset 0"),
        (b"<a>" + b"x" * MAX_BYTES + b"</a>", "not-well-formed", "at most 1048576"),
        (b"<a>" * 100_000, "not-well-formed", "depth"),
    ],
)
def test_what_is_not_a_plain_utf_8_document_is_refused_with_its_condition(
    data: bytes, condition: str, text: str
) -> None:
    with pytest.raises(XmlError, match=text) as refused:
        parse(data)
    assert refused.value.condition == condition


@pytest.mark.parametrize(
    "data",
    [
        b"<a><!-- <!DOCTYPE x> --></a>",
        b"<!-- <!DOCTYPE x> --><a><![CDATA[<!DOCTYPE y>]]></a>",
        b"\xef\xbb\xbf<?xml version='1.0' encoding='utf-8'?>\n<a/>",
    ],
)
def test_a_doctype_that_is_only_text_does_no_harm(data: bytes) -> None:
    assert parse(data).tag == "a"


def test_characters_no_document_can_hold_are_replaced_when_writing() -> None:
    root = new_root("urn:x", "a")
    append(root, "b", "one\x00two\x1b\ud800", {"c": "\x07", "left-out": None})
    written = serialise(root)
    assert (
        written
        == (
            '<?xml version="1.0" encoding="UTF-8"?>\n<a xmlns="urn:x"><b c="\ufffd">one\ufffdtwo\ufffd\ufffd</b></a>'
        ).encode()
    )
    assert parse(written) is not None
