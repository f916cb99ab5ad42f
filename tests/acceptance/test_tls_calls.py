"""Calls between two user agents of ours through `talkburst core`, over TLS on both sides."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import tomli_w

from authority import Authority
from harness import talkburst
from phone import Phone
from running import Running
from talkburst.net import Tls
from talkburst.sip.message import Response

pytestmark = pytest.mark.acceptance


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
async def core(tmp_path: Path, authority: Authority) -> AsyncIterator[Running]:
    keys = {"ca": authority.ca, **authority.issue("ims.example", "127.0.0.1")}
    core = {"listen": ["udp:127.0.0.1:0", "tls:127.0.0.1:0"], "listen_servers": ["udp:127.0.0.1:0"]}
    file = tmp_path / "talkburst.toml"
    file.write_text(tomli_w.dumps({"tls": keys, "core": core}))
    running = Running("core", tmp_path, "--config", str(file))
    await running.start()
    yield running
    assert await running.stop() == 0
    assert "PRIVATE KEY" not in running.log


Make = Callable[..., Awaitable[Phone]]


@pytest.fixture
async def phone(core: Running, authority: Authority) -> AsyncIterator[Make]:
    phones: list[Phone] = []

    async def make(name: str, scheme: str = "sip") -> Phone:
        phones.append(Phone(name, Tls(authority.settings()), core.place("tls"), scheme))
        await phones[-1].start()
        registered = await phones[-1].register()
        assert isinstance(registered, Response)
        assert registered.status == 200, registered.to_bytes()
        return phones[-1]

    yield make
    for each in phones:
        await each.node.close()
        assert {transport for _, transport, _ in each.wires} == {"TLS"}


@pytest.mark.parametrize(("caller", "called"), [("sip", "sip"), ("sips", "sips"), ("sip", "sips")])
async def test_call_is_answered_and_ended_over_tls(phone: Make, caller: str, called: str) -> None:
    """INVITE, 180, 200, ACK, BYE, 200: nothing leaves the two connections that the phones registered on."""
    alice, bob = await phone("alice", caller), await phone("bob", called)
    call = alice.invite(f"{caller}:bob@ims.example")
    await alice.outcome(180)
    bob.answer(200)
    accepted = await alice.outcome(200)
    dialog = alice.acknowledge(call.request, accepted)
    assert (await bob.request("ACK")).cseq.number == 1
    alice.outcomes.clear()
    alice.ask(dialog.request("BYE"))
    assert (await alice.outcome(200)).cseq.method == "BYE"
    assert [each.method for each in bob.received] == ["INVITE", "ACK", "BYE"]
    assert [each.uri.partition(":")[0] for each in bob.received] == [caller] * 3  # RFC 5630 5.3: never another scheme
    assert {route.uri.scheme for each in bob.received for route in each.record_routes} == {caller}


async def test_the_called_one_ends_the_call_over_tls(phone: Make) -> None:
    alice, bob = await phone("alice"), await phone("bob")
    call = alice.invite("sip:bob@ims.example")
    await alice.outcome(180)
    dialog = bob.answer(200)
    alice.acknowledge(call.request, await alice.outcome(200))
    await bob.request("ACK")
    bob.ask(dialog.request("BYE"))
    assert (await bob.outcome(200)).cseq.method == "BYE"
    assert [each.method for each in alice.received] == ["BYE"]


async def test_call_is_cancelled_over_tls(phone: Make) -> None:
    """CANCEL, its 200, the 487 and its ACK."""
    alice, bob = await phone("alice"), await phone("bob")
    call = alice.invite("sip:bob@ims.example")
    await alice.outcome(180)
    call.cancel(alice.node.now())
    alice.node.pump()
    await alice.outcome(487)
    await bob.until(lambda: any(b"ACK sip:" in data for _, _, data in bob.wires))
    methods = [data.split(b" ", 1)[0] for outbound, _, data in bob.wires if not outbound]
    assert methods[-3:] == [b"INVITE", b"CANCEL", b"ACK"]


async def test_call_by_sips_reaches_nobody_who_registered_by_sip(phone: Make) -> None:
    """RFC 5630 5.3, over TLS though he is."""
    alice, bob = await phone("alice", "sips"), await phone("bob", "sip")
    alice.invite("sips:bob@ims.example")
    refused = await alice.outcome(480)
    assert (refused.get("Warning") or "").endswith('"SIPS Not Allowed"')
    assert bob.received == []


async def test_client_registers_by_sips_and_watches_itself(core: Running, tmp_path: Path, authority: Authority) -> None:
    """The Contact that it registers is SIPS, that of its SIP dialogs is not (RFC 5630 5.1.1)."""
    hosts = {"ims.example": f"{core.place('tls')};transport=tls"}
    client = {"listen": ["tls:127.0.0.1:0"], "registrar": "sips:ims.example", "hosts": hosts}
    file = tmp_path / "client.toml"
    file.write_text(tomli_w.dumps({"tls": {"ca": authority.ca}, "client": client}))
    alice = await Running("client", tmp_path, "--config", str(file)).start()
    try:
        await alice.says("registered identity")
        await core.says("SUBSCRIBE to sip:poc.ims.example")  # it has learnt its PoC Address from the reg event
        status, out, err = await talkburst("core", "show", "--json", "--state", str(tmp_path / "core-state"))
        assert status == 0, err
        shown = json.loads(out)
        (contact,) = shown["registrations"][0]["contacts"]
        assert contact["contact"].startswith("<sips:alice@127.0.0.1:")
        assert [each["event"] for each in shown["subscriptions"]] == ["reg"]
    finally:
        assert await alice.stop() == 0
