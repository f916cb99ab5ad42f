"""The wire altered on purpose: the checker must name the step, and the command must fail."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from harness import Demo, Ran
from relay import Alter, Relay, drop_notify, is_notify, unaltered

pytestmark = pytest.mark.acceptance

QUICK = {"t1": 0.05, "t2": 0.4, "t4": 0.5}  # the wait of the checker is scaled with T1: one second


@dataclass
class Hop:
    """A relay on one hop and the configuration that leads both ends through it."""

    relay: Relay
    config: dict[str, Any]


@pytest.fixture
async def client_hop(free_port: Callable[[], int]) -> AsyncIterator[Callable[[Alter], Any]]:
    """Between client and core."""
    relays: list[Relay] = []

    async def build(alter: Alter) -> Hop:
        core = ("127.0.0.1", free_port())
        relay = Relay(core, alter)
        relays.append(relay)
        host, port = await relay.start()
        here = f"{host}:{port}"
        config = {
            "timers": QUICK,
            "core": {"listen": [f"udp:{core[0]}:{core[1]}"], "advertise": here},
            "client": {"advertise": here, "hosts": {"ims.example": here}},
        }
        return Hop(relay, config)

    yield build
    for relay in relays:
        relay.close()


@pytest.fixture
async def server_hop(free_port: Callable[[], int]) -> AsyncIterator[Callable[[Alter], Any]]:
    """Between core and PoC server."""
    relays: list[Relay] = []

    async def build(alter: Alter) -> Hop:
        core, server = ("127.0.0.1", free_port()), ("127.0.0.1", free_port())
        relay = Relay(core, alter, peer=server)
        relays.append(relay)
        host, port = await relay.start()
        here = f"{host}:{port}"
        config = {
            "timers": QUICK,
            "core": {
                "listen_servers": [f"udp:{core[0]}:{core[1]}"],
                "advertise_servers": here,
                "hosts": {"poc.ims.example": here},
            },
            "server": {
                "listen": [f"udp:{server[0]}:{server[1]}"],
                "advertise": here,
                "hosts": {"scscf.ims.example": here},
            },
        }
        return Hop(relay, config)

    yield build
    for relay in relays:
        relay.close()


def assert_failed_at(ran: Ran, step: int, why: str) -> None:
    assert ran.status == 1, ran.explain()
    assert ran.report["verdict"] == "fail"
    assert ran.report["first_failure"] == step, ran.explain()
    assert why in ran.step(step)["why"], ran.step(step)
    assert ran.step(step)["why"] in ran.out


async def test_relays_that_alter_nothing_leave_32_passes(demo: Demo, client_hop: Any, server_hop: Any) -> None:
    for build in (client_hop, server_hop):
        hop = await build(unaltered)
        ran = await demo(config=hop.config)
        assert ran.status == 0, ran.explain()
        assert hop.relay.passed > 0


def strip_tag(data: bytes) -> bytes | None:
    return data.replace(b";+g.poc.talkburst", b"") if data.startswith(b"REGISTER ") else data


async def test_tag_stripped_from_register_fails_step_1(demo: Demo, client_hop: Any) -> None:
    hop = await client_hop(strip_tag)
    ran = await demo(config=hop.config)
    assert hop.relay.altered > 0
    assert_failed_at(ran, 1, "+g.poc.talkburst")
    assert "no third-party REGISTER" in ran.log("core")


async def test_dropped_notify_9_fails_step_9(demo: Demo, server_hop: Any) -> None:
    hop = await server_hop(drop_notify("reg"))
    ran = await demo(config=hop.config)
    assert hop.relay.altered > 0
    assert_failed_at(ran, 9, "never received")


async def test_dropped_notify_14_fails_step_14(demo: Demo, client_hop: Any) -> None:
    hop = await client_hop(drop_notify("reg"))
    ran = await demo(config=hop.config)
    assert hop.relay.altered > 0
    assert_failed_at(ran, 14, "never received")


async def test_dropped_notify_20_fails_step_20(demo: Demo, server_hop: Any) -> None:
    hop = await server_hop(drop_notify("poc-settings"))
    ran = await demo(config=hop.config)
    assert hop.relay.altered > 0
    assert_failed_at(ran, 20, "never received")


async def test_dropped_notify_29_fails_step_29(demo: Demo, server_hop: Any) -> None:
    hop = await server_hop(drop_notify("poc-settings", nth_dialog_message=2))
    ran = await demo(config=hop.config)
    assert hop.relay.altered > 0
    assert ran.step(20)["verdict"] == "pass"
    assert_failed_at(ran, 29, "never received")


def bar_in_notify(data: bytes) -> bytes | None:
    """Turns the barring of a NOTIFY on, length for length."""
    return data.replace(b'active="false"', b'active="true" ') if is_notify(data, "poc-settings") else data


async def test_changed_body_of_29_fails_step_29(demo: Demo, server_hop: Any) -> None:
    hop = await server_hop(bar_in_notify)
    ran = await demo(config=hop.config)
    assert hop.relay.altered > 0
    assert ran.step(25)["verdict"] == "pass"
    assert_failed_at(ran, 29, "barring")


async def test_unreachable_server_fails_step_5(demo: Demo, free_port: Callable[[], int]) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    ran = await demo(config={"timers": QUICK, "core": {"hosts": {"poc.ims.example": nobody}}})
    assert ran.step(4)["verdict"] == "pass"
    assert_failed_at(ran, 5, "never received")


async def test_wrong_password_fails_step_3(demo: Demo) -> None:
    ran = await demo(config={"timers": QUICK, "client": {"password": "mallory"}})
    assert_failed_at(ran, 3, "password")
    assert "mallory" not in ran.out + ran.err + ran.log("core") + ran.log("client")
