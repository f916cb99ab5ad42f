"""Changes that nobody waits for share a commit with those that somebody waits for."""

import asyncio
from collections.abc import Iterable

import pytest

from talkburst.net.commit_gate import CommitGate, Unit
from talkburst.sip.actions import Action, Send
from talkburst.sip.flow import Flow
from talkburst.sip.message import Request
from talkburst.store import Change, Journal, MemoryState

FLOW = Flow("UDP", ("127.0.0.1", 5060), ("127.0.0.1", 5062))
SEND = Send(FLOW, b"", Request("OPTIONS", "sip:x"))


class Counted(MemoryState):
    def __init__(self) -> None:
        super().__init__()
        self.keys: list[list[str]] = []

    async def commit(self, changes: Iterable[Change]) -> None:
        kept = list(changes)
        self.keys.append([change.key for change in kept])
        await super().commit(kept)


class Gate:
    def __init__(self, company: float, store: Counted | None = None) -> None:
        self.journal, self.store, self.performed = Journal(), store or Counted(), list[Action]()
        self.settled = asyncio.Event()
        self.gate = CommitGate(self.journal, self.store, self.performed.extend, self.lost, self.settled.set, company)

    def lost(self, units: list[Unit], error: Exception) -> None:
        raise error

    def event(self, key: str, *actions: Action) -> None:
        self.journal.put("kept", key, {})
        self.gate.add(list(actions))
        self.gate.advance()

    async def stored(self) -> list[list[str]]:
        await asyncio.wait_for(self.settled.wait(), 5)
        self.settled.clear()
        return self.store.keys


async def test_a_change_that_nobody_waits_for_is_stored_with_the_next_one_that_somebody_waits_for() -> None:
    gate = Gate(3600.0)
    gate.event("answered")
    await asyncio.sleep(0)
    assert gate.store.keys == []
    gate.event("published", SEND)
    assert await gate.stored() == [["answered", "published"]]
    assert gate.performed == [SEND]


async def test_a_change_without_company_is_stored_by_itself_after_a_while() -> None:
    gate = Gate(0.01)
    gate.event("answered")
    assert await gate.stored() == [["answered"]]


async def test_what_leaves_behind_a_change_without_company_waits_for_its_commit() -> None:
    gate = Gate(3600.0)
    gate.event("answered")
    gate.gate.add([SEND])
    gate.gate.advance()
    assert gate.performed == []
    assert await gate.stored() == [["answered"]]
    assert gate.performed == [SEND]


async def test_a_row_that_changes_again_while_it_waits_is_written_once() -> None:
    gate = Gate(3600.0)
    gate.event("row")
    gate.event("row", SEND)
    assert await gate.stored() == [["row"]]


@pytest.mark.parametrize("company", [0.0, 3600.0])
async def test_what_has_no_company_is_stored_before_the_end(company: float) -> None:
    gate = Gate(company)
    gate.event("answered")
    await gate.gate.drain()
    assert gate.store.keys == [["answered"]]


class Held(Counted):
    """A commit ends when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.may_end = asyncio.Event()

    async def commit(self, changes: Iterable[Change]) -> None:
        await self.may_end.wait()
        await super().commit(changes)


async def test_the_next_commit_waits_until_as_many_have_come_as_shared_the_last_one() -> None:
    gate = Gate(3600.0, Held())
    for key in "abc":  # a alone, b and c behind it
        gate.event(key, SEND)
    gate.store.may_end.set()
    await gate.stored()
    gate.gate.advance()
    await gate.stored()
    gate.gate._rest_until += 3600.0
    gate.event("d", SEND)
    await asyncio.sleep(0.02)
    assert gate.store.keys == [["a"], ["b", "c"]]
    gate.event("e", SEND)
    assert await gate.stored() == [["a"], ["b", "c"], ["d", "e"]]


async def test_one_who_was_alone_is_not_made_to_wait() -> None:
    gate = Gate(3600.0)
    for key in "abc":
        gate.event(key, SEND)
        await gate.stored()
    assert gate.store.keys == [["a"], ["b"], ["c"]]


async def test_who_does_not_come_back_is_waited_for_no_longer_than_the_rest() -> None:
    gate = Gate(3600.0, Held())
    for key in "abc":
        gate.event(key, SEND)
    gate.store.may_end.set()
    await gate.stored()
    gate.gate.advance()
    await gate.stored()
    gate.event("d", SEND)
    assert (await gate.stored())[-1] == ["d"]
