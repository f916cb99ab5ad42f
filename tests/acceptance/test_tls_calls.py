"""Calls between two user agents of ours through `talkburst core`, over TLS on both sides."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import tomli_w

from authority import Authority
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


async def test_call_is_answered_and_ended_over_tls(phone: Make) -> None:
    """INVITE, 180, 200, ACK, BYE, 200: nothing leaves the two connections that the phones registered on."""
    alice, bob = await phone("alice"), await phone("bob")
    call = alice.invite("sip:bob@ims.example")
    await alice.outcome(180)
    bob.answer(200)
    accepted = await alice.outcome(200)
    dialog = alice.acknowledge(call.request, accepted)
    assert (await bob.request("ACK")).cseq.number == 1
    alice.outcomes.clear()
    alice.ask(dialog.request("BYE"))
    assert (await alice.outcome(200)).cseq.method == "BYE"
    assert [each.method for each in bob.received] == ["INVITE", "ACK", "BYE"]


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
