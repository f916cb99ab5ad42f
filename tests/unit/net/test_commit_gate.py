"""What waits for a commit, in which order it leaves, and what becomes of it when there is none."""

import asyncio
from collections.abc import AsyncIterator, Iterable

import pytest

from talkburst.net import Clock, ListenAddress, SipNode
from talkburst.sip.engine import Engine
from talkburst.sip.message import Request, Response, response_to
from talkburst.sip.parser import parse_message
from talkburst.store import Change, Journal, MemoryState, StoreError

MESSAGE = """\
MESSAGE sip:x SIP/2.0
Via: SIP/2.0/TCP 127.0.0.1:{port};branch=z9hG4bKa;rport
From: <sip:a@x>;tag=1
To: <sip:b@x>
Call-ID: a
CSeq: 1 MESSAGE
Content-Length: 0

"""


class SlowState(MemoryState):
    """Each commit waits until the test lets it go, or refuses it."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[list[Change]] = []
        self.full = False
        self._answers: asyncio.Queue[None] = asyncio.Queue()
        self._begun = asyncio.Event()

    async def commit(self, changes: Iterable[Change]) -> None:
        self.asked.append(list(changes))
        self._begun.set()
        await self._answers.get()
        if self.full:
            raise StoreError("cannot write core.db: disk full")
        await super().commit(self.asked[-1])

    async def begun(self) -> None:
        await asyncio.wait_for(self._begun.wait(), 5)
        self._begun.clear()

    def let_go(self) -> None:
        self._answers.put_nowait(None)


class Peer(asyncio.DatagramProtocol):
    """Writes requests and reads answers: (Call-ID, status) in their order."""

    def __init__(self) -> None:
        self.arrived: asyncio.Queue[Request | Response] = asyncio.Queue()

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport

    def datagram_received(self, data: bytes, addr: object) -> None:
        message = parse_message(data)
        assert isinstance(message, Request | Response)
        self.arrived.put_nowait(message)

    def ask(self, method: str, call_id: str, branch: str | None = None) -> None:
        host, port = self.transport.get_extra_info("sockname")
        lines = [
            f"{method} sip:x SIP/2.0",
            f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{branch or call_id};rport",
            "From: <sip:a@x>;tag=1",
            "To: <sip:b@x>",
            f"Call-ID: {call_id}",
            f"CSeq: 1 {method}",
            "Content-Length: 0",
        ]
        self.transport.sendto(("\r\n".join(lines) + "\r\n\r\n").encode(), self.node)

    async def answers(self, count: int) -> list[tuple[str, int]]:
        found = []
        while len(found) < count:
            message = await asyncio.wait_for(self.arrived.get(), 5)
            assert isinstance(message, Response)
            found.append((message.call_id, message.status))
        return found


class Keeper:
    """A transaction user that keeps what it is sent by MESSAGE, has nothing to keep of OPTIONS, and refuses INFO."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.engine: Engine
        self.kept: list[str] = []

    def on_request(self, transaction, request, now) -> None:
        if request.method == "MESSAGE":
            self.kept.append(request.call_id)
            self.journal.put("kept", request.call_id, {})
        elif request.method == "PUBLISH":
            self.journal.put("kept", request.call_id, {})
            self.tell(now)
        status = 403 if request.method == "INFO" else 200
        self.engine.respond(transaction, response_to(request, status, to_tag=transaction.to_tag), now)

    def tell(self, now: float) -> None:
        headers = [("From", "<sip:b@x>;tag=2"), ("To", "<sip:a@x>"), ("Call-ID", "told"), ("CSeq", "1 NOTIFY")]
        self.told = self.engine.send_request(Request("NOTIFY", self.peer, headers), lambda outcome, now: None, now)

    def on_ack(self, request, flow, now) -> None: ...

    def on_cancel(self, transaction, now) -> None: ...


class NoTrace:
    looked_at = False

    def message(self, *anything: object) -> None: ...


class Bench:
    def __init__(self) -> None:
        self.journal, self.store, self.peer = Journal(), SlowState(), Peer()
        self.user = Keeper(self.journal)
        self.engine = self.user.engine = Engine(self.user, token=iter(f"t{n}" for n in range(10**6)).__next__)
        self.lost: list[str] = []
        self.node = SipNode(
            self.engine, Clock(), NoTrace(), journal=self.journal, store=self.store, on_lost=self.on_lost
        )

    async def start(self) -> None:
        listener = await self.node.listen("main", ListenAddress.parse("udp:127.0.0.1:0"))
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: self.peer, local_addr=("127.0.0.1", 0))
        self.peer.node = (listener.host, listener.port)
        host, port = self.peer.transport.get_extra_info("sockname")
        self.user.peer = f"sip:{host}:{port}"

    def on_lost(self, now: float) -> None:
        self.lost = self.user.kept
        self.user.kept = list(self.store.load().get("kept", {}))
        self.journal.put("kept", "dropped", {})


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    await bench.start()
    yield bench
    for _ in range(10):
        bench.store.let_go()
    await bench.node.close()
    bench.peer.transport.close()


async def _received(bench: Bench, count: int) -> None:
    """Wait until the node has taken in that many requests."""
    async with asyncio.timeout(5):
        while len(bench.engine.servers) + bench.engine.counters["retransmission"] < count:  # noqa: ASYNC110
            await asyncio.sleep(0)


async def test_what_changes_nothing_is_answered_at_once(bench: Bench) -> None:
    bench.peer.ask("OPTIONS", "a")
    assert await bench.peer.answers(1) == [("a", 200)]
    assert bench.store.asked == []


async def test_an_answer_leaves_after_its_commit(bench: Bench) -> None:
    bench.peer.ask("MESSAGE", "a")
    await bench.store.begun()
    assert bench.peer.arrived.empty()
    assert bench.store.load() == {}
    bench.store.let_go()
    assert await bench.peer.answers(1) == [("a", 200)]
    assert bench.store.load() == {"kept": {"a": {}}}


async def test_what_comes_meanwhile_shares_the_next_commit_and_leaves_in_order(bench: Bench) -> None:
    bench.peer.ask("MESSAGE", "a")
    await bench.store.begun()
    for method, call_id in (("OPTIONS", "b"), ("MESSAGE", "c"), ("OPTIONS", "d"), ("MESSAGE", "e")):
        bench.peer.ask(method, call_id)
    await _received(bench, 5)
    bench.store.let_go()
    assert await bench.peer.answers(2) == [("a", 200), ("b", 200)]
    await bench.store.begun()
    assert [change.key for change in bench.store.asked[1]] == ["c", "e"]
    assert bench.peer.arrived.empty()
    bench.store.let_go()
    assert await bench.peer.answers(3) == [("c", 200), ("d", 200), ("e", 200)]


async def test_a_retransmission_gets_no_answer_before_the_commit(bench: Bench) -> None:
    bench.peer.ask("MESSAGE", "a")
    await bench.store.begun()
    bench.peer.ask("MESSAGE", "a")
    await _received(bench, 2)
    assert bench.peer.arrived.empty()
    bench.store.let_go()
    assert await bench.peer.answers(2) == [("a", 200), ("a", 200)]


async def test_what_cannot_be_stored_is_answered_500_and_undone(bench: Bench) -> None:
    bench.store.full = True
    bench.peer.ask("MESSAGE", "a")
    await bench.store.begun()
    for method, call_id in (("MESSAGE", "a"), ("MESSAGE", "b"), ("OPTIONS", "c"), ("INFO", "d")):
        bench.peer.ask(method, call_id)
    await _received(bench, 5)
    bench.store.let_go()
    assert sorted(await bench.peer.answers(4)) == [("a", 500), ("b", 500), ("c", 200), ("d", 403)]
    assert bench.lost == ["a", "b"]
    assert bench.user.kept == []
    bench.peer.ask("MESSAGE", "a")
    assert await bench.peer.answers(1) == [("a", 500)]  # the stored answer
    bench.store.full = False
    bench.peer.ask("MESSAGE", "a", branch="anew")
    await bench.store.begun()
    bench.store.let_go()
    assert await bench.peer.answers(1) == [("a", 200)]
    assert bench.store.load() == {"kept": {"a": {}}}
    assert len(bench.store.asked) == 2


async def test_what_cannot_be_stored_is_answered_500_over_tcp_where_the_transaction_has_ended(bench: Bench) -> None:
    listener = await bench.node.listen("stream", ListenAddress.parse("tcp:127.0.0.1:0"))
    reader, writer = await asyncio.open_connection(listener.host, listener.port)
    bench.store.full = True
    writer.write(
        b"MESSAGE sip:x SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:5;branch=z9hG4bKa\r\nFrom: <sip:a@x>;tag=1\r\n"
        b"To: <sip:b@x>\r\nCall-ID: a\r\nCSeq: 1 MESSAGE\r\nContent-Length: 0\r\n\r\n"
    )
    await bench.store.begun()
    assert not bench.engine.servers
    bench.store.let_go()
    answer = parse_message(await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5))
    assert isinstance(answer, Response)
    assert (answer.status, answer.call_id, str(answer.cseq)) == (500, "a", "1 MESSAGE")
    assert bench.user.kept == []
    writer.close()
    await writer.wait_closed()


async def test_a_request_that_was_abandoned_does_not_leave(bench: Bench) -> None:
    bench.store.full = True
    undone = bench.on_lost

    def on_lost(now: float) -> None:
        undone(now)
        bench.user.told.abandon(now)

    bench.node._on_lost = on_lost
    bench.peer.ask("PUBLISH", "a")
    await bench.store.begun()
    bench.store.let_go()
    assert await bench.peer.answers(1) == [("a", 500)]
    assert bench.engine.clients == {}
    bench.peer.ask("OPTIONS", "b")
    assert await bench.peer.answers(1) == [("b", 200)]


async def test_a_request_that_rests_on_nothing_stored_leaves_after_all(bench: Bench) -> None:
    bench.store.full = True
    bench.peer.ask("MESSAGE", "a")
    await bench.store.begun()
    bench.user.tell(bench.node.now())
    bench.node.pump()
    assert bench.peer.arrived.empty()
    bench.store.let_go()
    messages = [await asyncio.wait_for(bench.peer.arrived.get(), 5) for _ in range(2)]
    assert {message.start_line.partition(" ")[0] for message in messages} == {"NOTIFY", "SIP/2.0"}


async def test_an_undoing_that_fails_is_survived(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    def fail(now: float) -> None:
        raise StoreError("cannot read core.db")

    bench.node._on_lost = fail
    bench.store.full = True
    bench.peer.ask("MESSAGE", "a")
    await bench.store.begun()
    bench.store.let_go()
    assert await bench.peer.answers(1) == [("a", 500)]
    assert "internal error" in caplog.text


async def test_a_row_that_cannot_be_written_holds_nothing_up(bench: Bench) -> None:
    bench.journal.put("kept", "fault", {"row": object()})  # type: ignore[dict-item]
    bench.peer.ask("MESSAGE", "a")
    await bench.store.begun()
    bench.store.let_go()
    assert await bench.peer.answers(1) == [("a", 500)]
    bench.peer.ask("OPTIONS", "b")
    assert await bench.peer.answers(1) == [("b", 200)]


async def test_closing_stores_and_sends_what_waits(bench: Bench) -> None:
    bench.peer.ask("MESSAGE", "a")
    await bench.store.begun()
    closing = asyncio.ensure_future(bench.node.close())
    bench.store.let_go()
    assert await bench.peer.answers(1) == [("a", 200)]
    await asyncio.wait_for(closing, 5)


async def test_an_answer_whose_connection_closes_during_its_commit_leaves_on_a_new_one(bench: Bench) -> None:
    """RFC 3261 18.2.2. Over TCP nobody repeats the request, so an answer that is dropped never comes."""
    listener = await bench.node.listen("main", ListenAddress.parse("tcp:127.0.0.1:0"))
    arrived = asyncio.get_running_loop().create_future()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.set_result(await reader.readuntil(b"\r\n\r\n"))
        writer.close()

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as returning:
        _, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(MESSAGE.format(port=returning.sockets[0].getsockname()[1]).replace("\n", "\r\n").encode())
        await bench.store.begun()
        writer.close()
        async with asyncio.timeout(5):
            while not bench.engine.counters["connection_closed"]:  # noqa: ASYNC110 - what is waited for has no event
                await asyncio.sleep(0)
        bench.store.let_go()
        assert (await asyncio.wait_for(arrived, 5)).startswith(b"SIP/2.0 200 OK\r\n")
