import pytest

from talkburst.xcap.uri import XcapUri, XcapUriError, parse, parse_entry, user_document

ROOT = "/xcap-root"
INDEX = user_document("resource-lists", "sip:alice@ims.example", "index")


@pytest.mark.parametrize(
    ("target", "uri"),
    [
        ("/xcap-root/resource-lists/users/sip:alice@ims.example/index", INDEX),
        ("/xcap-root/resource-lists/users/sip%3Aalice%40ims.example/index", INDEX),
        ("http://xdms.example:8080/xcap-root/resource-lists/users/sip:alice@ims.example/index", INDEX),
        ("/xcap%2Droot/resource-lists/users/sip:alice@ims.example/inde%78?", INDEX),
        (
            "/xcap-root/a/users/sip:b@c%3Bx%3Fy%2Fz/dir/doc",
            XcapUri("a", "users", "sip:b@c;x?y/z", ("dir", "doc")),
        ),
        ("/xcap-root/xcap-caps/global/index", XcapUri("xcap-caps", "global", "", ("index",))),
        ("/xcap-root/a/users/x", XcapUri("a", "users", "x")),
        (
            '/xcap-root/a/users/x/d/~~/b/c[@n="1~~"]',
            XcapUri("a", "users", "x", ("d",), 'b/c[@n="1~~"]'),
        ),
        (
            "/xcap-root/a/users/x/d/%7E%7E/b/~~/c%5B@n=%22%C3%A4%22%5D",
            XcapUri("a", "users", "x", ("d",), 'b/~~/c[@n="ä"]'),
        ),
        (
            "/xcap-root/a/users/x/d/~~/p:b?xmlns(p=urn:x^(y^))other(1)xmlns(q=urn:z)",
            XcapUri("a", "users", "x", ("d",), "p:b", (("p", "urn:x(y)"), ("q", "urn:z"))),
        ),
    ],
)
def test_a_target_is_taken_apart_and_decoded(target: str, uri: XcapUri) -> None:
    assert parse(target, ROOT) == uri


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("/", "documents are below /xcap-root"),
        ("*", "documents are below"),
        ("/xcap-rootx/a/users/x/d", "documents are below"),
        ("/xcap-root", "holds nothing"),
        ("/xcap-root/", "holds nothing"),
        ("/xcap-root/a", "behind a comes users or global"),
        ("/xcap-root/a/people/x", "users or global"),
        ("/xcap-root/a/users", "comes the user"),
        ("/xcap-root/a/users//d", "comes the user"),
        ("/xcap-root/a/users/x/", "no document"),
        ("/xcap-root/a/users/x/../y/d", "relative segment"),
        ("/xcap-root/a/users/x/%2e%2e/d", "relative segment"),
        ("/xcap-root/a/users/x/%FF", "not UTF-8"),
        ("/xcap-root/a/users/x/%zz", "without two hexadecimal"),
        ("/xcap-root/a/users/x/d/~~", "node selector behind ~~ is empty"),
        ("/xcap-root/a/users/x/d/~~/", "node selector behind ~~ is empty"),
    ],
)
def test_a_target_that_names_nothing_is_refused_with_the_reason(target: str, text: str) -> None:
    with pytest.raises(XcapUriError, match=text):
        parse(target, ROOT)


@pytest.mark.parametrize(
    ("uri", "text"),
    [
        (INDEX, "resource-lists/users/sip:alice@ims.example/index"),
        (XcapUri("a", "users", "sip:b@c?x/y ü", ("d",)), "a/users/sip:b@c%3Fx%2Fy%20%C3%BC/d"),
        (
            XcapUri("a", "users", "x", ("d",), 'b/c[@n="1"]', (("p", "urn:x"),)),
            "a/users/x/d/~~/b/c%5B@n=%221%22%5D?xmlns(p=urn:x)",
        ),
        (XcapUri("xcap-caps", "global", "", ("index",)), "xcap-caps/global/index"),
    ],
)
def test_a_uri_is_written_escaped_and_reads_back(uri: XcapUri, text: str) -> None:
    assert str(uri) == text
    assert parse(f"{ROOT}/{uri}", ROOT) == uri


@pytest.mark.parametrize(
    "entry",
    [
        "http://xdms.example:8080/xcap-root/resource-lists/users/sip:alice@ims.example/index",
        "/xcap-root/resource-lists/users/sip:alice@ims.example/index",
        "/resource-lists/users/sip:alice@ims.example/index",
        "resource-lists/users/sip:alice@ims.example/index",
    ],
)
def test_every_way_to_write_a_directory_entry_is_understood(entry: str) -> None:
    assert parse_entry(entry, ROOT) == INDEX


def test_an_empty_root_serves_from_the_top() -> None:
    assert parse("/resource-lists/users/sip:alice@ims.example/index", "") == INDEX
    assert parse("/resource-lists/users/sip:alice@ims.example/index", "/") == INDEX
