"""SIPp on both ends of a call: the core carries it, over UDP, TCP and IPv6 (RFC 3261 16)."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from calls_world import CallCore
from sipp_how_to import Sipp

FreePort = Callable[[], int]
WAYS = [
    pytest.param({"host": host, "transport": transport}, id=f"{transport} {host}")
    for host in ("127.0.0.1", "[::1]")
    for transport in ("UDP", "TCP")
]


@asynccontextmanager
async def called(
    directory: Path, free_port: FreePort, way: dict[str, Any], *callees: str
) -> AsyncIterator[tuple[CallCore, list[Sipp]]]:
    """A core, and bob at one SIPp or more, each of them registered."""
    async with AsyncExitStack() as stack:
        core = await stack.enter_async_context(CallCore(directory, free_port, **way))
        await core.says("ready core")
        running = []
        for number, heading in enumerate(callees, 1):
            running.append(await stack.enter_async_context(Sipp(heading, directory, core)))
            await core.registered(number)
        yield core, running


def lines(sipp: Sipp, way: str) -> list[str]:
    """Method, or status, of every message of the call that SIPp sent or received; REGISTER is left out."""
    words = [one.start_line.split() for one in sipp.trace if one.way == way and "register" not in one.call_id]
    return [first if first != "SIP/2.0" else second for first, second, *_ in words]


async def call(heading: str, directory: Path, core: CallCore, *callees: Sipp) -> Sipp:
    """The caller, when it and everybody called have come to their ends as their scenarios say."""
    async with Sipp(heading, directory, core) as caller:
        for sipp in (caller, *callees):
            assert await sipp.ended() == 0, sipp.errors + core.err
    return caller


@pytest.mark.parametrize("way", WAYS)
async def test_call_is_answered_and_ended(tmp_path: Path, free_port: FreePort, way: dict[str, str]) -> None:
    async with called(tmp_path, free_port, way, "A callee who answers") as (core, (callee,)):
        caller = await call("A caller", tmp_path, core, callee)
    assert lines(caller, "sent") == ["INVITE", "ACK", "BYE"]
    assert [line for line in lines(caller, "received") if line != "100"] == ["180", "200", "200"]
    assert f"Via: SIP/2.0/{way['transport']} {core.place(5060)};" in callee.messages
    assert f"Record-Route: <sip:{core.place(5060)}" in callee.messages
    assert "P-Asserted-Identity: <sip:alice@ims.example>" in callee.messages
    if way["transport"] == "TCP":
        assert "UDP message" not in caller.messages + callee.messages


@pytest.mark.parametrize(
    ("caller", "callee"),
    [
        (("127.0.0.1", "UDP"), ("127.0.0.1", "TCP")),
        (("[::1]", "TCP"), ("127.0.0.1", "UDP")),
        (("127.0.0.1", "TCP"), ("[::1]", "TCP")),
    ],
    ids=str,
)
async def test_callers_way_to_the_core_is_not_the_callees(
    tmp_path: Path, free_port: FreePort, caller: tuple[str, str], callee: tuple[str, str]
) -> None:
    """RFC 5658: each side finds the core by the Record-Route entry of its own transport and IP version."""
    way = {"host": callee[0], "transport": callee[1]}
    async with called(tmp_path, free_port, way, "A callee who answers") as (core, (answers,)):
        core.host, core.transport = caller
        calls = await call("A caller", tmp_path, core, answers)
    assert lines(calls, "sent") == ["INVITE", "ACK", "BYE"]
    assert calls.messages.count("\nRoute: <sip:") == 3, "the Service-Route, then both entries twice"
    assert len(re.findall("^Record-Route: ", answers.messages, flags=re.MULTILINE)) >= 2


@pytest.mark.parametrize("way", WAYS)
async def test_call_is_cancelled_while_it_rings(tmp_path: Path, free_port: FreePort, way: dict[str, str]) -> None:
    async with called(tmp_path, free_port, way, "A callee who lets it ring") as (core, (callee,)):
        caller = await call("A caller in vain", tmp_path, core, callee)
    assert lines(caller, "sent") == ["INVITE", "CANCEL", "ACK"]
    assert [line for line in lines(caller, "received") if line != "100"] == ["180", "200", "487"]


@pytest.mark.parametrize("way", WAYS)
async def test_call_is_refused(tmp_path: Path, free_port: FreePort, way: dict[str, str]) -> None:
    async with called(tmp_path, free_port, way, "A callee who is busy") as (core, (callee,)):
        caller = await call("A caller in vain", tmp_path, core, callee)
    assert lines(caller, "sent") == ["INVITE", "ACK"]
    assert [line for line in lines(caller, "received") if line != "100"] == ["486"]


@pytest.mark.parametrize("way", WAYS)
async def test_who_answers_gets_the_call_and_the_other_one_cancel(
    tmp_path: Path, free_port: FreePort, way: dict[str, str]
) -> None:
    callees = ("A callee who lets it ring", "A callee who answers")
    async with called(tmp_path, free_port, way, *callees) as (core, (rings, answers)):
        caller = await call("A caller", tmp_path, core, rings, answers)
    assert [line for line in lines(caller, "received") if line not in ("100", "180")] == ["200", "200"]
    assert lines(rings, "sent")[-4:] == ["180", "200", "487", "REGISTER"]


async def test_two_hundred_calls_at_once_leave_nothing_behind(tmp_path: Path, free_port: FreePort) -> None:
    async with called(tmp_path, free_port, {"t1": 0.2}, "A callee of two hundred calls") as (core, (callee,)):
        await call("Two hundred calls at once", tmp_path, core, callee)
        assert lines(callee, "received").count("BYE") == 200
        await core.is_done(within=30)
