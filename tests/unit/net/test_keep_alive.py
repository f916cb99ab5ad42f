"""Pings on a connection of ours, on virtual time: when they leave, and what no answer means (RFC 5626 4.4)."""

import pytest

from talkburst.net.pings import PING
from talkburst.net.tcp import PONG, TcpConnection
from talkburst.net.tcp_limits import TcpLimits
from talkburst.sip.flow import Flow
from talkburst.ua.daemon import KEEP_ALIVE
from virtual_loop import VirtualLoop

FLOW = Flow("TCP", ("192.0.2.1", 5090), ("192.0.2.9", 5060), 1, "main")
TO_THE_FIRST = 10.0  # seconds, at most


class Wire:
    """A transport, the peer behind it, and the user of the connection over it."""

    def __init__(self, loop, *, accepted=False, **limits):
        self.loop = loop
        self.pinged = []
        self.closed = []
        self.ended = False
        self.answer_after = None
        self.accepted = accepted
        self.connection = self._connect(TcpLimits(keep_alive=KEEP_ALIVE, **limits))

    def _connect(self, limits):
        async def connect():
            connection = TcpConnection(self, limits, "main", None if self.accepted else FLOW)
            connection.connection_made(self)
            return connection

        return self.loop.run_until_complete(connect())

    def say(self, data):
        self.connection.data_received(data)

    # The transport

    def get_extra_info(self, name):
        return FLOW.local if name == "sockname" else FLOW.remote

    def write(self, data):
        if data == PONG:
            return
        assert data == PING
        self.pinged.append(self.loop.time())
        if self.answer_after is not None:
            self.loop.call_later(self.answer_after, self.say, PONG)

    def is_closing(self):
        return self.ended

    def can_write_eof(self):
        return False

    def get_write_buffer_size(self):
        return 0

    def abort(self):
        self.ended = True
        self.connection.connection_lost(None)

    # The user

    def on_open(self, connection):
        connection.accepted = self.accepted
        return True

    def on_drained(self, connection, size): ...

    def keeps(self, connection):
        return True

    def on_closing(self, connection, reason):
        self.closed.append((reason, self.loop.time()))

    def on_closed(self, connection): ...

    @property
    def pauses(self):
        return [later - earlier for earlier, later in zip(self.pinged, self.pinged[1:], strict=False)]


@pytest.fixture
def loop():
    loop = VirtualLoop()
    yield loop
    loop.close()


def test_peer_that_never_answers_is_pinged_on_and_keeps_its_connection(loop):
    wire = Wire(loop)
    loop.pass_time(3000)
    assert wire.closed == []
    assert len(wire.pinged) >= 25
    assert all(KEEP_ALIVE[0] <= pause <= KEEP_ALIVE[1] for pause in wire.pauses)


def test_whether_a_peer_answers_is_found_out_soon(loop):
    wire = Wire(loop)
    loop.pass_time(TO_THE_FIRST)
    assert len(wire.pinged) == 1


def test_peer_that_answers_each_ping_keeps_its_connection(loop):
    wire = Wire(loop)
    wire.answer_after = 9.0
    loop.pass_time(3000)
    assert wire.closed == []
    assert all(KEEP_ALIVE[0] + 9 <= pause <= KEEP_ALIVE[1] + 9 for pause in wire.pauses)


def test_peer_that_has_answered_and_does_no_more_has_gone_after_ten_seconds(loop):
    wire = Wire(loop)
    wire.answer_after = 0.1
    loop.pass_time(300)
    wire.answer_after = None
    before = len(wire.pinged)
    loop.pass_time(150)
    assert len(wire.pinged) == before + 1
    assert wire.closed == [("no answer to a keep-alive", pytest.approx(wire.pinged[-1] + 10))]


def test_answer_that_comes_late_promises_nothing(loop):
    wire = Wire(loop)
    wire.answer_after = 11.0
    loop.pass_time(1000)
    assert wire.closed == []


def test_line_break_that_nobody_asked_for_promises_nothing(loop):
    wire = Wire(loop)
    wire.say(PONG)
    loop.pass_time(50)
    wire.say(PONG)
    loop.pass_time(1000)
    assert wire.closed == []


def test_message_in_time_is_no_answer_to_a_ping(loop):
    """RFC 5626 4.4.1 waits for the pong, whatever else is being received."""
    wire = Wire(loop)
    wire.on_message = lambda connection, data: None
    wire.answer_after = 0.1
    loop.pass_time(100)
    wire.answer_after = None
    for _ in range(60):
        wire.say(b"OPTIONS sip:a@x SIP/2.0\r\nContent-Length: 0\r\n\r\n")
        loop.pass_time(5)
    assert [reason for reason, _ in wire.closed] == ["no answer to a keep-alive"]


def test_connection_that_was_accepted_is_never_pinged(loop):
    wire = Wire(loop, accepted=True, idle=10_000.0)
    loop.pass_time(3000)
    assert wire.pinged == []


# A peer that promised keep-alives (RFC 5626 5.4)


@pytest.fixture
def promised(loop):
    """An accepted connection with a registration over it, whose peer is to show itself every 80 s."""
    wire = Wire(loop, accepted=True, idle=600.0)
    wire.connection.limit_silence(80.0)
    return wire


def test_peer_that_promised_keep_alives_and_sends_none_has_gone(loop, promised):
    begun = loop.time()
    loop.pass_time(200)
    assert promised.closed == [("no keep-alive", pytest.approx(begun + 80))]


def test_each_keep_alive_gives_it_as_long_again(loop, promised):
    begun = loop.time()
    for _ in range(20):
        loop.pass_time(79)
        promised.say(PING)
    loop.pass_time(100)
    assert promised.closed == [("no keep-alive", pytest.approx(begun + 20 * 79 + 80))]


def test_message_is_as_good_as_a_keep_alive(loop, promised):
    promised.on_message = lambda connection, data: None
    loop.pass_time(79)
    promised.say(b"OPTIONS sip:a@x SIP/2.0\r\nContent-Length: 0\r\n\r\n")
    loop.pass_time(79)
    assert promised.closed == []


def test_promise_that_is_taken_back_leaves_a_connection_with_a_registration_open(loop, promised):
    loop.pass_time(50)
    promised.connection.limit_silence(None)
    loop.pass_time(3000)
    assert promised.closed == []


def test_promise_of_rarer_keep_alives_than_the_idle_time_is_kept_to_as_well(loop):
    wire = Wire(loop, accepted=True, idle=60.0)
    wire.connection.limit_silence(90.0)
    begun = loop.time()
    loop.pass_time(300)
    assert wire.closed == [("no keep-alive", pytest.approx(begun + 90))]


def test_promise_on_a_connection_that_is_closing_does_not_keep_it_from_that(loop, promised):
    """The answer to a REGISTER may have waited for a commit meanwhile."""
    promised.connection.finish("test")
    promised.connection.limit_silence(50.0)
    loop.pass_time(2)
    assert promised.ended
    assert [reason for reason, _ in promised.closed] == ["test"]
