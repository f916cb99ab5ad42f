import asyncio
from typing import TYPE_CHECKING

import pytest

from talkburst.obs.trace import Trace
from talkburst_xdms.exchange import Reply, Request
from talkburst_xdms.http_server import MAX_BODY, HttpServer

if TYPE_CHECKING:
    from conftest import Xdms

LISTS = b'<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"/>'
INDEX = "resource-lists/users/sip:alice@ims.example/index"
IDENTITY = "X-XCAP-Asserted-Identity: sip:alice@ims.example"


async def raw(port: int, *lines: str, body: bytes = b"") -> bytes:
    """Sends a request as it is and reads until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write("\r\n".join([*lines, "Connection: close", "", ""]).encode() + body)
    await writer.drain()
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_every_message_is_traced_as_text_with_the_true_addresses(xdms: "Xdms") -> None:
    answer = await raw(
        xdms.port,
        f"PUT /xcap-root/{INDEX} HTTP/1.1",
        "host: xdms",
        IDENTITY,
        "Transfer-Encoding: chunked",
        body=b"%x\r\n%b\r\n0\r\n\r\n" % (len(LISTS), LISTS),
    )
    assert answer.startswith(b"HTTP/1.1 201 Created\r\n")
    await xdms.trace.close()
    asked, answered = xdms.recorder.frames
    assert (asked.destination, asked.outbound, answered.outbound) == (("127.0.0.1", xdms.port), False, True)
    assert (answered.source, answered.destination) == (asked.destination, asked.source)
    assert (asked.protocol, asked.transport, asked.node, asked.time) == ("http", "TCP", "xdms", 1763812921.5)
    assert (
        asked.payload
        == (
            f"PUT /xcap-root/{INDEX} HTTP/1.1\r\nhost: xdms\r\n{IDENTITY}\r\nContent-Length: {len(LISTS)}\r\n"
            "Connection: close\r\n\r\n"
        ).encode()
        + LISTS
    )
    assert answered.payload == answer


async def test_the_trace_holds_what_stood_on_the_wire(xdms: "Xdms") -> None:
    for method in ("PUT", "GET", "HEAD", "DELETE"):
        length = f"Content-Length: {len(LISTS) if method == 'PUT' else 0}"
        answer = await raw(
            xdms.port, f"{method} /xcap-root/{INDEX} HTTP/1.1", "Host: x", IDENTITY, length,
            body=LISTS if method == "PUT" else b"",
        )  # fmt: skip
        await asyncio.sleep(0)
        assert xdms.recorder.frames[-1].payload == answer


async def test_raw_quotes_and_brackets_in_the_request_line_are_served(xdms: "Xdms") -> None:
    target = f'/xcap-root/{INDEX}/~~/resource-lists/list[@name="x"]'
    answer = await raw(xdms.port, f"GET {target} HTTP/1.1", "Host: x", IDENTITY)
    assert answer.startswith(b"HTTP/1.1 501 ")
    assert xdms.decisions[-1][1]["target"] == target


async def test_an_absolute_request_target_is_served(xdms: "Xdms") -> None:
    answer = await raw(xdms.port, f"GET http://xdms.example/xcap-root/{INDEX} HTTP/1.1", "Host: xdms.example", IDENTITY)
    assert b"no document 'index'" in answer


async def test_a_body_over_the_limit_gets_413_before_it_is_sent(xdms: "Xdms") -> None:
    answer = await raw(
        xdms.port, f"PUT /xcap-root/{INDEX} HTTP/1.1", "Host: x", IDENTITY, f"Content-Length: {MAX_BODY + 1}"
    )
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"the limit here" in answer


async def test_a_chunked_body_over_the_limit_gets_413(xdms: "Xdms") -> None:
    answer = await raw(
        xdms.port,
        f"PUT /xcap-root/{INDEX} HTTP/1.1",
        "Host: x",
        IDENTITY,
        "Transfer-Encoding: chunked",
        body=b"10001\r\n" + b"x" * 0x10001 + b"\r\n" + (b"10000\r\n" + b"x" * 0x10000 + b"\r\n") * 15 + b"0\r\n\r\n",
    )
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert xdms.store.counts() == (0, 0)


async def test_a_body_at_the_limit_is_read(xdms: "Xdms") -> None:
    body = LISTS + b" " * (MAX_BODY - len(LISTS))
    assert (await xdms.ask("PUT", INDEX, body)).status == 201


async def test_a_client_that_waits_for_100_gets_it_or_the_refusal(xdms: "Xdms") -> None:
    lines = (f"PUT /xcap-root/{INDEX} HTTP/1.1", "Host: x", IDENTITY, "Expect: 100-Continue")
    answer = await raw(xdms.port, *lines, f"Content-Length: {len(LISTS)}", body=LISTS)
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\n")
    assert (await raw(xdms.port, *lines, "Content-Length: 2000000")).startswith(b"HTTP/1.1 413 ")
    other = await raw(xdms.port, *lines[:3], "Expect: miracles", "Content-Length: 3")
    assert other.startswith(b"HTTP/1.1 417 ")


async def test_a_peer_that_goes_away_half_way_stores_nothing(xdms: "Xdms", caplog: pytest.LogCaptureFixture) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", xdms.port)
    head = f"PUT /xcap-root/{INDEX} HTTP/1.1\r\nHost: x\r\n{IDENTITY}\r\nContent-Length: {len(LISTS)}\r\n\r\n"
    writer.write(head.encode() + LISTS[:20])
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert (await xdms.ask("GET", INDEX)).status == 404
    assert xdms.store.counts() == (0, 0)
    assert caplog.records == []


async def test_what_is_not_http_gets_400_and_the_server_goes_on(xdms: "Xdms", caplog: pytest.LogCaptureFixture) -> None:
    assert (await raw(xdms.port, "REGISTER sip:ims.example SIP/2.0")).startswith(b"HTTP/1.0 400 ")
    assert (await xdms.ask("GET", INDEX)).status == 404
    assert caplog.records == []


async def test_a_refusal_may_quote_what_is_no_utf_8(xdms: "Xdms") -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", xdms.port)
    head = f"PUT /xcap-root/{INDEX} HTTP/1.1\r\nHost: x\r\n{IDENTITY}\r\nConnection: close\r\n".encode()
    writer.write(head + b"Content-Type: text/\xc3(\r\nContent-Length: 1\r\n\r\nx")
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 415 ")
    assert b"Content-Type is text/?(" in answer


@pytest.mark.parametrize("version", [" HTTP/2.0", " HTTP/0.9", ""])
async def test_a_version_that_is_not_spoken_gets_505_in_one_that_is(xdms: "Xdms", version: str) -> None:
    answer = await raw(xdms.port, f"GET /xcap-root/{INDEX}{version}")
    assert answer.startswith(b"HTTP/1.0 505 ")
    assert f"{version.strip() or 'HTTP/0.9'} is not spoken here".encode() in answer
    await xdms.trace.close()
    assert f"GET /xcap-root/{INDEX} {version.strip() or 'HTTP/0.9'}\r\n".encode() in xdms.recorder.frames[0].payload


async def test_a_fault_of_our_own_is_reported_and_answered_with_500() -> None:
    faults: list[str] = []

    async def broken(_: Request) -> Reply:
        raise KeyError("mine")

    server = HttpServer(broken, Trace("xdms"), lambda: 0.0, lambda text, error: faults.append(f"{text}: {error!r}"))
    _, port = await server.listen(host="127.0.0.1")
    answer = await raw(port, "GET /x HTTP/1.1", "Host: x")
    await server.close()
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert faults == ["GET /x could not be answered: KeyError('mine')"]


async def test_closing_lets_a_request_under_way_finish() -> None:
    started, release = asyncio.Event(), asyncio.Event()

    async def slow(_: Request) -> Reply:
        started.set()
        await release.wait()
        return Reply(200, b"done", "text/plain")

    server = HttpServer(slow, Trace("xdms"), lambda: 0.0, lambda text, error: None)
    _, port = await server.listen(host="127.0.0.1")
    asking = asyncio.ensure_future(raw(port, "GET /x HTTP/1.1", "Host: x"))
    await started.wait()
    closing = asyncio.ensure_future(server.close())
    await asyncio.sleep(0)
    release.set()
    assert (await asking).endswith(b"done")
    await closing


async def test_each_request_leaves_one_line_with_its_reason(xdms: "Xdms") -> None:
    await xdms.ask("GET", INDEX)
    assert xdms.decisions == [
        (
            "GET answered with 404",
            {
                "target": f"/xcap-root/{INDEX}",
                "user": "sip:alice@ims.example",
                "peer": "127.0.0.1",
                "reason": "no document 'index' of resource-lists in user sip:alice@ims.example",
            },
        )
    ]
    assert xdms.server.requests == {404: 1}


async def test_a_stranger_cannot_fill_the_log_and_is_told_what_is_wrong(
    xdms: "Xdms", caplog: pytest.LogCaptureFixture
) -> None:
    answer = await raw(xdms.port, "PUT / HTTP/1.1", "Host: x", "Content-Length: -5")
    head, _, text = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.0 400 ")
    assert b"\r\nServer: XDM-serv/OMA1.1 talkburst" in head
    assert text == b"Invalid character in Content-Length\n"
    assert caplog.records == []
    assert xdms.http.malformed == 1


async def test_a_body_that_does_not_arrive_gets_408_and_stores_nothing(xdms: "Xdms") -> None:
    answer = await raw(
        xdms.port, f"PUT /xcap-root/{INDEX} HTTP/1.1", "Host: x", IDENTITY, "Content-Length: 100", body=LISTS
    )
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"within 2 seconds" in answer
    assert xdms.store.counts() == (0, 0)
