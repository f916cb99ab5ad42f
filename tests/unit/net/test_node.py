import asyncio
import errno
import logging
import socket
import sys

import pytest

from talkburst.net import Clock, ListenAddress, ListenError
from talkburst.sip.engine import Failure
from talkburst.sip.message import Request
from talkburst.sip.timers import Timers


async def test_a_request_is_answered_over_loopback(make_node) -> None:
    client, server = make_node(), make_node()
    await client.listen()
    listener = await server.listen()
    answer = await client.ask(f"sip:127.0.0.1:{listener.port}")
    assert answer.status == 200
    assert answer.via.received == "127.0.0.1"


async def test_every_message_is_traced_on_both_sides(make_node) -> None:
    client, server = make_node(), make_node()
    ours, theirs = await client.listen(), await server.listen()
    await client.ask(f"sip:127.0.0.1:{theirs.port}")
    assert [(outbound, data[:7]) for outbound, data in client.tap.seen] == [(True, b"OPTIONS"), (False, b"SIP/2.0")]
    assert [(outbound, data[:7]) for outbound, data in server.tap.seen] == [(False, b"OPTIONS"), (True, b"SIP/2.0")]
    assert client.tap.ends == {(("127.0.0.1", ours.port), ("127.0.0.1", theirs.port))}
    assert client.tap.seen[0][1] == server.tap.seen[0][1]


async def test_a_port_nobody_listens_on_fails_the_request_at_once_and_the_node_goes_on(make_node) -> None:
    client, server = make_node(), make_node()
    await client.listen()
    listener = await server.listen()
    dead = _free_port()
    for number in range(3):
        assert await client.ask(f"sip:127.0.0.1:{dead}", f"dead{number}") is Failure.TRANSPORT
    assert (await client.ask(f"sip:127.0.0.1:{listener.port}")).status == 200


async def test_a_refused_destination_harms_no_other_request_under_way(make_node) -> None:
    client, server = make_node(), make_node()
    await client.listen()
    listener = await server.listen()
    dead = _free_port()
    results = await asyncio.gather(
        *(client.ask(f"sip:127.0.0.1:{dead if number % 2 else listener.port}", f"c{number}") for number in range(10))
    )
    assert [result is Failure.TRANSPORT for result in results] == [bool(number % 2) for number in range(10)]


@pytest.mark.skipif(sys.platform != "linux", reason="the error queue is one of Linux")
async def test_an_error_that_no_call_reports_any_more_is_heard_of_all_the_same(make_node) -> None:
    client = make_node()
    client.engine.timers = Timers(t1=60.0)  # nor will one because the request is repeated
    await client.listen()
    [port] = client.sip._shell.datagrams.ports.values()
    told = asyncio.get_running_loop().create_future()
    request = Request(
        "OPTIONS",
        f"sip:127.0.0.1:{_free_port()}",
        [("From", "<sip:a@x>;tag=1"), ("To", "<sip:b@x>"), ("Call-ID", "c1"), ("CSeq", "1 OPTIONS")],
    )
    client.engine.send_request(request, lambda outcome, now: told.set_result(outcome), client.sip.now())
    client.sip.pump()
    assert port.udp.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED  # now it is taken
    assert await asyncio.wait_for(told, 5) is Failure.TRANSPORT


async def test_a_name_is_resolved_by_the_system(make_node) -> None:
    client, server = make_node(), make_node()
    await client.listen()
    listener = await server.listen()
    assert (await client.ask(f"sip:localhost:{listener.port}")).status == 200


async def test_a_name_of_the_hosts_table_needs_no_resolver(make_node) -> None:
    server = make_node()
    listener = await server.listen()
    client = make_node(hosts={"ims.invalid": f"127.0.0.1:{listener.port}"})
    await client.listen()
    assert (await client.ask("sip:ims.invalid")).status == 200


@pytest.mark.parametrize("name", ["no-such-host.invalid", "a..b", "x" * 70])
async def test_a_name_without_an_address_fails_the_request(make_node, name: str) -> None:
    client = make_node()
    await client.listen()
    assert await client.ask(f"sip:{name}") is Failure.TRANSPORT


async def test_a_datagram_too_large_for_udp_fails_its_own_request(make_node) -> None:
    client, server = make_node(), make_node()
    await client.listen()
    listener = await server.listen()
    uri = f"sip:127.0.0.1:{listener.port}"
    assert await client.ask(f"{uri};x={'a' * 70000}", "large") is Failure.TRANSPORT
    assert (await client.ask(f"{uri};x={'a' * 60000}", "fits")).status == 200


async def test_a_timer_of_the_engine_fires(make_node) -> None:
    node = make_node()
    await node.listen()
    rung = asyncio.Event()
    early = node.sip.now()
    node.engine.agenda.schedule(early + 30, lambda now: None)
    node.sip.pump()
    node.engine.agenda.schedule(early + 0.01, lambda now: rung.set())
    node.sip.pump()
    await asyncio.wait_for(rung.wait(), 5)
    assert node.sip.now() >= early + 0.01


async def test_an_error_in_the_user_is_one_log_line_a_500_and_no_more(make_node, caplog) -> None:
    client, server = make_node(), make_node()
    await client.listen()
    listener = await server.listen()
    usual = server.user.answer

    def fail(transaction, request, now) -> None:
        raise RuntimeError("a bug")

    server.user.answer = fail
    uri = f"sip:127.0.0.1:{listener.port}"
    with caplog.at_level(logging.INFO):
        assert (await client.ask(uri, "first")).status == 500
    server.user.answer = usual
    assert (await client.ask(uri, "second")).status == 200
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 1
    assert "\n" not in errors[0].getMessage()
    assert errors[0].exc_info is None


async def test_an_alarm_that_raises_stops_no_other(make_node, caplog) -> None:
    node = make_node()
    await node.listen()
    rung = asyncio.Event()

    def fail(now: float) -> None:
        raise RuntimeError("a bug")

    node.engine.agenda.schedule(node.sip.now(), fail)
    node.engine.agenda.schedule(node.sip.now(), lambda now: rung.set())
    node.sip.pump()
    await asyncio.wait_for(rung.wait(), 5)
    assert any("a bug" in str(vars(record)) or "a bug" in record.getMessage() for record in caplog.records)


async def test_a_burst_is_answered_whole(make_node) -> None:
    client, server = make_node(), make_node()
    await client.listen()
    listener = await server.listen()
    uri = f"sip:127.0.0.1:{listener.port}"
    answers = await asyncio.gather(*(client.ask(uri, f"c{number}") for number in range(300)))
    assert {answer.status for answer in answers} == {200}
    assert len(server.user.requests) == 300


async def test_datagrams_that_are_no_sip_are_survived(make_node) -> None:
    client, server = make_node(), make_node()
    await client.listen()
    listener = await server.listen()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for noise in (b"", b"\r\n\r\n", b"\0", b"hello", bytes(range(256)) * 200):
            stranger.sendto(noise, ("127.0.0.1", listener.port))
    assert (await client.ask(f"sip:127.0.0.1:{listener.port}")).status == 200


async def test_an_inherited_socket_is_listened_on(make_node) -> None:
    client, server = make_node(), make_node()
    await client.listen()
    handed = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    handed.bind(("127.0.0.1", 0))
    port = handed.getsockname()[1]
    listener = await server.listen(f"fd:{handed.detach()}")
    assert listener.port == port
    assert (await client.ask(f"sip:127.0.0.1:{port}")).status == 200


async def test_ipv6_is_spoken(make_node) -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    client, server = make_node(), make_node()
    try:
        await client.listen("udp:[::1]:0")
    except ListenError:
        pytest.skip("no IPv6 loopback here")
    listener = await server.listen("udp:[::1]:0")
    assert (await client.ask(f"sip:[::1]:{listener.port}")).status == 200
    assert await client.ask(f"sip:[::1]:{_free_port(socket.AF_INET6, '::1')}", "dead") is Failure.TRANSPORT


async def test_an_occupied_port_is_told_with_its_address(make_node) -> None:
    first, second = make_node(), make_node()
    listener = await first.listen()
    with pytest.raises(ListenError, match=rf"cannot listen on udp:127.0.0.1:{listener.port}: Address already in use"):
        await second.listen(f"udp:127.0.0.1:{listener.port}")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("tcp:0.0.0.0:0", "advertise one"),
        ("tcp:192.0.2.77:0", "Cannot assign requested address"),
        ("udp:0.0.0.0:0", "advertise one"),
        ("udp:192.0.2.77:0", "Cannot assign requested address"),
        ("udp:no-such-host.invalid:5060", "cannot listen on udp:no-such-host.invalid:5060"),
    ],
)
async def test_a_socket_that_cannot_be_had_is_told_with_its_reason(make_node, text: str, reason: str) -> None:
    with pytest.raises(ListenError, match=reason):
        await make_node().listen(text)


async def test_a_wildcard_listener_is_known_by_what_it_advertises(make_node) -> None:
    node = make_node()
    listener = await node.sip.listen("main", ListenAddress.parse("udp:0.0.0.0:0"), ("127.0.0.1", 0))
    assert listener.advertised == ("127.0.0.1", listener.port)
    other = make_node()
    await other.listen()
    assert (await other.ask(f"sip:127.0.0.1:{listener.port}")).status == 200
    assert {local for local, _ in node.tap.ends} == {("127.0.0.1", listener.port)}


@pytest.mark.parametrize(("name", "shown"), [("localhost", "127.0.0.1"), ("nobody.invalid", "0.0.0.0")])
async def test_the_trace_shows_an_address_where_a_name_is_advertised(make_node, name: str, shown: str) -> None:
    node = make_node()
    listener = await node.sip.listen("main", ListenAddress.parse("udp:0.0.0.0:0"), (name, 0))
    assert listener.advertised == (name, listener.port)
    other = make_node()
    await other.listen()
    assert (await other.ask(f"sip:127.0.0.1:{listener.port}")).status == 200
    assert {local for local, _ in node.tap.ends} == {(shown, listener.port)}


async def test_a_closed_node_has_freed_its_port(make_node) -> None:
    node = make_node()
    listener = await node.listen()
    await node.sip.close()
    await node.sip.close()
    assert (await make_node().listen(f"udp:127.0.0.1:{listener.port}")).port == listener.port


async def test_the_clock_starts_at_the_wall_and_never_runs_back() -> None:
    clock = Clock()
    readings = [clock.now() for _ in range(1000)]
    assert readings == sorted(readings)


def _free_port(family: int = socket.AF_INET, host: str = "127.0.0.1") -> int:
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
