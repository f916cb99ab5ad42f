"""XML that is meant to hurt whoever reads it: what it is, and the document."""

from collections.abc import Iterator

MOST = 1 << 20  # bytes that a document may have here
SECRET = "/etc/hostname"  # what an external entity is to fetch


def hostile(namespace: str, root: str, inside: str = "") -> Iterator[tuple[str, bytes]]:
    """Documents with that root element, each with a fault that makes it no document to be taken; `inside` is what
    would make it one without the fault."""
    opening = f'<{root} xmlns="{namespace}">{inside}'
    whole = f"{opening}</{root}>"

    def declared(subset: str, inside: str) -> bytes:
        return f"<!DOCTYPE {root} [{subset}]>{opening}{inside}</{root}>".encode()

    laughs = '<!ENTITY l0 "ha">' + "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    yield "empty", b""
    yield "blank", b" \r\n\t"
    yield "no XML", b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\n"
    yield "cut off", whole.encode()[:-3]
    yield "two roots", (whole + whole).encode()
    yield "another root", f'<other xmlns="{namespace}"/>'.encode()
    yield "another namespace", f'<{root} xmlns="urn:example:other"/>'.encode()
    yield "no namespace", f"<{root}/>".encode()
    yield "document type", declared("", "")
    yield "internal entity", declared('<!ENTITY e "x">', "&e;")
    yield "external entity", declared(f'<!ENTITY e SYSTEM "file://{SECRET}">', "&e;")
    yield "external entity over HTTP", declared('<!ENTITY e SYSTEM "http://127.0.0.1:9/">', "&e;")
    yield "parameter entity", declared(f'<!ENTITY % p SYSTEM "file://{SECRET}"> %p;', "")
    yield "external subset", f'<!DOCTYPE {root} SYSTEM "http://127.0.0.1:9/x.dtd">{whole}'.encode()
    yield "billion laughs", declared(laughs, "&l9;")
    yield "quadratic blow-up", declared(f'<!ENTITY a "{"a" * 50_000}">', "&a;" * 50_000)
    yield "document type behind a comment", b"<!-- -->" + declared('<!ENTITY e "x">', "&e;")
    yield "document type in UTF-16", b"\xff\xfe" + declared('<!ENTITY e "x">', "&e;").decode().encode("utf-16-le")
    yield "UTF-16 without a mark", whole.encode("utf-16-le")
    yield "UTF-16 that says UTF-8", f'<?xml version="1.0" encoding="UTF-8"?>{whole}'.encode("utf-16")
    yield "UTF-32", whole.encode("utf-32")
    yield "Latin-1 that says UTF-8", f'<?xml version="1.0" encoding="UTF-8"?>{opening}é</{root}>'.encode("latin-1")
    yield "UTF-7", f'<?xml version="1.0" encoding="UTF-7"?>{whole}'.encode()
    yield "unknown encoding", f'<?xml version="1.0" encoding="x-none"?>{whole}'.encode()
    yield "EBCDIC", f'<?xml version="1.0" encoding="cp037"?>{whole}'.encode("cp037")
    yield "overlong UTF-8", opening.encode() + b"\xc0\xbc" + f"</{root}>".encode()
    yield "surrogate", opening.encode() + b"\xed\xa0\x80" + f"</{root}>".encode()
    yield "zeros", whole.encode() + b"\x00"
    yield "forbidden character", f"{opening}&#0;</{root}>".encode()
    yield "unbound prefix", f"{opening}<x:y/></{root}>".encode()
    yield "deep", (opening + "<a>" * 100_000 + "</a>" * 100_000 + f"</{root}>").encode()
    yield "deep without end", (opening + "<a>" * 200_000).encode()
    yield "an attribute twice", f'{opening}<a b="1" b="2"/></{root}>'.encode()
    yield "too long", (opening + "x" * MOST + f"</{root}>").encode()


def heavy(namespace: str, root: str) -> Iterator[tuple[str, bytes]]:
    """Documents that are well-formed, below the limit and as dear to read as can be; to be taken or not."""
    opening, end = f'<{root} xmlns="{namespace}">', f"</{root}>"
    yield "elements", (opening + "<a/>" * 250_000 + end).encode()
    yield "elements of others", (opening + '<a xmlns="urn:x"/>' * 50_000 + end).encode()
    yield "attributes", (opening[:-1] + "".join(f' a{n}=""' for n in range(80_000)) + ">" + end).encode()
    yield "namespaces", (opening[:-1] + "".join(f' xmlns:a{n}="u"' for n in range(40_000)) + ">" + end).encode()
    yield "text", (opening + "x" * (MOST - 500) + end).encode()
    yield "comments", (opening + "<!---->" * 140_000 + end).encode()
    yield "instructions", (opening + "<?a?>" * 200_000 + end).encode()
    yield "comments before the root", ("<!---->" * 140_000 + opening + end).encode()
    yield "references", (opening + "&#120;" * 170_000 + end).encode()
    yield "sections", (opening + "<![CDATA[x]]>" * 75_000 + end).encode()
    yield "a long name", (opening + f"<{'a' * 300_000}/>" + end).encode()
    yield "a long value", (opening + f'<a b="{"c" * 1_000_000}"/>' + end).encode()
