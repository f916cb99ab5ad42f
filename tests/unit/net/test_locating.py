"""Nodes that find each other by a zone, on real sockets; and what a hostile one does to them."""

import asyncio
import time
from collections.abc import Callable

import pytest

from talkburst.net import Resolver
from talkburst.net.hosts_file import HostsFile
from talkburst.sip.engine import Failure
from talkburst.sip.message import response_to
from zone_server import ZoneServer


@pytest.fixture
def names():
    with ZoneServer("ims.test", "") as server:
        yield server


@pytest.fixture
async def make_asker(make_node, names, tmp_path):
    """A node that asks the server of names, and listens on UDP and TCP."""

    async def make(**options):
        resolver = Resolver([names.address], 0.5, HostsFile(tmp_path / "hosts"))
        node = make_node(resolver=resolver, **options)
        await node.listen_on_both()
        return node

    return make


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110 - of a counter and of a list nobody is told
            await asyncio.sleep(0.01)


async def test_naptr_then_srv_then_an_address(make_node, make_asker, names) -> None:
    client, server = await make_asker(), make_node()
    await server.listen_on_both()
    names.serve(
        f"""
        @ 60 IN NAPTR 10 1 "s" "SIP+D2T" "" _sip._tcp
        @ 60 IN NAPTR 20 1 "s" "SIP+D2U" "" _sip._udp
        _sip._tcp 60 IN SRV 0 0 {server.port} poc1
        poc1 60 IN A 127.0.0.1
        """
    )
    answer = await client.ask("sip:ims.test")
    assert (answer.status, answer.via.transport) == (200, "TCP")
    assert names.asked[0] == "ims.test NAPTR udp"
    asked = len(names.asked)
    assert (await client.ask("sip:ims.test", "again")).status == 200
    assert len(names.asked) == asked, "all of it is known now"
    assert (await client.ask("sip:ims.test;transport=udp", "udp")) is Failure.TRANSPORT, "there is nobody by UDP"


async def test_one_after_the_other_until_one_is_there(make_node, make_asker, names, caplog) -> None:
    client, refusing, server = await make_asker(), make_node(), make_node()
    busy, there, dead = await refusing.listen(), await server.listen(), make_node()
    gone = await dead.listen()
    await dead.sip.close()

    def say_503(transaction, request, now) -> None:
        refusing.engine.respond(transaction, response_to(request, 503, to_tag="t"), now)

    refusing.user.answer = say_503
    names.serve(
        f"""
        _sip._udp 60 IN SRV 0 0 {gone.port} host
        _sip._udp 60 IN SRV 1 0 {busy.port} host
        _sip._udp 60 IN SRV 2 0 {there.port} host
        host 60 IN A 127.0.0.1
        """
    )
    assert (await client.ask("sip:ims.test")).status == 200
    assert (len(refusing.user.requests), len(server.user.requests)) == (1, 1)
    branches = {request.via.branch for node in (refusing, server) for request in node.user.requests}
    assert len(branches) == 2
    assert (await client.ask("sip:ims.test", "later")).status == 200
    assert len(refusing.user.requests) == 1, "who failed lately is left aside"
    said = [record.fields for record in caplog.records if "the next one" in record.message]
    assert [(each["target"], each["reason"]) for each in said] == [
        (f"udp:127.0.0.1:{gone.port}", "unreachable"),
        (f"udp:127.0.0.1:{busy.port}", "503 Service Unavailable"),
    ]


async def test_the_hosts_file_and_the_hosts_table_go_before_the_dns(make_node, make_asker, names, tmp_path) -> None:
    server = make_node()
    listener = await server.listen()
    (tmp_path / "hosts").write_text("127.0.0.1 filed.ims.test\n")
    client = await make_asker(hosts={"tabled.ims.test": f"127.0.0.1:{listener.port}"})
    names.serve(f"_sip._udp 60 IN SRV 0 0 {listener.port} filed")
    assert (await client.ask(f"sip:filed.ims.test:{listener.port}", "1")).status == 200
    assert (await client.ask("sip:tabled.ims.test", "2")).status == 200
    assert names.asked == []
    assert (await client.ask("sip:ims.test", "3")).status == 200, "a host that an SRV record names"
    assert not [asked for asked in names.asked if asked.startswith("filed")]


async def test_only_addresses_of_a_family_that_we_speak_are_asked_for(make_node, make_asker, names) -> None:
    client, server = await make_asker(), make_node()
    listener = await server.listen()
    names.serve("host 60 IN AAAA ::1\nhost 60 IN A 127.0.0.1")
    assert (await client.ask(f"sip:host.ims.test:{listener.port}")).status == 200
    assert "host.ims.test AAAA udp" not in names.asked


HOSTILE = {
    "a loop of CNAMEs": "@ 60 IN TXT x\nhost 60 IN CNAME other\nother 60 IN CNAME host",
    "a target of .": "_sip._udp 60 IN SRV 0 0 0 .\n_sip._tcp 60 IN SRV 0 0 0 .",
    "SRV that points at itself": "_sip._udp 60 IN SRV 0 0 5060 _sip._udp\n_sip._tcp 60 IN SRV 0 0 5060 _sip._tcp",
    "NAPTR that points at itself": '@ 60 IN NAPTR 1 1 "s" "SIP+D2U" "" @',
    "a hundred NAPTR": "\n".join(f'@ 60 IN NAPTR {each} 1 "s" "SIP+D2U" "" x{each}' for each in range(100)),
    "a thousand SRV": "\n".join(f"_sip._udp 60 IN SRV 0 {each} 5060 x{each}" for each in range(1000)),
    "names of other zones": "_sip._udp 60 IN SRV 0 0 5060 x.invalid.\n_sip._udp 60 IN SRV 0 0 5061 .",
}


@pytest.mark.parametrize("zone", HOSTILE.values(), ids=HOSTILE.keys())
async def test_a_hostile_zone_costs_bounded_work(make_asker, names, zone: str) -> None:
    client = await make_asker()
    names.serve(zone)
    begin = time.process_time()
    assert await client.ask("sip:ims.test" if "host" not in zone else "sip:host.ims.test") is Failure.TRANSPORT
    assert time.process_time() - begin < 1.5
    assert len(names.asked) <= 24


async def test_a_flood_of_names_leaves_other_requests_alone(make_node, make_asker, names) -> None:
    client, server = await make_asker(), make_node()
    listener = await server.listen()
    names.silent = True
    floods = [asyncio.create_task(client.ask(f"sip:x{number}.ims.test", f"x{number}")) for number in range(300)]
    await asyncio.sleep(0)
    assert (await client.ask(f"sip:127.0.0.1:{listener.port}", "usual")).status == 200
    for flood in floods:
        flood.cancel()
    await asyncio.gather(*floods, return_exceptions=True)


async def test_a_response_whose_connection_is_gone_finds_the_sent_by_of_its_via(make_node, make_asker, names) -> None:
    """RFC 3263 5: where nobody listens at the address that the request came from, by SRV of the host in the Via."""
    server, elsewhere = await make_asker(), make_node()
    listener = await elsewhere.listen("tcp:127.0.0.1:0")
    names.serve(f"_sip._tcp 60 IN SRV 0 0 {listener.port} host\nhost 60 IN A 127.0.0.1")
    told = asyncio.get_running_loop().create_future()
    server.user.answer = lambda transaction, request, now: told.set_result(transaction)
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(
        b"OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP ims.test;branch=z9hG4bKgone\r\nFrom: <sip:a@x>;tag=1\r\n"
        b"To: <sip:b@x>\r\nCall-ID: gone\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )
    transaction = await asyncio.wait_for(told, 5)
    writer.transport.abort()
    await until(lambda: server.engine.counters["connection_closed"])
    server.engine.respond(transaction, response_to(transaction.request, 200, to_tag="t"), server.sip.now())
    server.sip.pump()
    await until(lambda: elsewhere.tap.seen)
    assert elsewhere.tap.seen[0][1].startswith(b"SIP/2.0 200")
    assert "_sip._tcp.ims.test SRV udp" in names.asked
