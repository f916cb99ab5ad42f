"""Requests about settings, and profiles with something else in them, for the tests of what the core routes."""

from talkburst_core.daemon import world

CLIENT = ("127.0.0.1", 5090)
POC = ("127.0.0.2", 5070)
OTHER = ("127.0.0.3", 5070)
SETTINGS = """<?xml version="1.0"?>
<poc-settings xmlns="urn:oma:params:xml:ns:poc:poc-settings"/>"""


def settings(bench, **options):
    return bench.subscribe("poc-settings", **options)


def publish(bench, **options):
    headers = "Content-Type: application/poc-settings+xml"
    return bench.subscribe("poc-settings", method="PUBLISH", headers=headers, body=SETTINGS, call_id="pub", **options)


def with_profile(*changes: tuple[str, str]) -> dict[str, str]:
    """The demo profiles of alice's two devices with something else in them."""
    files = {}
    for name in ("alice.xml", "alice-2.xml"):
        text = (world() / "profiles" / name).read_text("utf-8")
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        files[name] = text
    return files


def register(bench, **options):
    for told in bench.register(**options).to_servers:
        bench.answer(told, "200 OK")
    bench.decisions.clear()
    return bench
