"""Runs `talkburst.sip.locating.locate`: tables first, then what is cached, then the DNS."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

from talkburst.net.resolver import Resolver
from talkburst.sip.locating import Answer, Answers, Located, Question, Search, Wanted, locate
from talkburst.sip.next_hop import Hosts


class Locator:
    """Finds targets. `hosts` is the table of the configuration, which goes before the hosts file and the DNS."""

    def __init__(self, resolver: Resolver, hosts: Hosts) -> None:
        self._resolver = resolver
        self._hosts = hosts

    def begin(self, wanted: Wanted) -> Location:
        return Location(self._resolver, locate(wanted, self._known, random.random))

    def _known(self, name: str, port: int | None) -> Sequence[tuple[str, int | None]]:
        entry = self._hosts.find(name, port)
        if entry is not None:
            return [(entry.host, entry.port)]
        return [(address, None) for address in self._resolver.known(name)]


class Location:
    """One search under way. `at_once` goes as far as nobody need be asked, `find` to the end."""

    def __init__(self, resolver: Resolver, search: Search) -> None:
        self._resolver = resolver
        self._search = search
        self._targets: list[Located] | None = None
        self._questions: tuple[Question, ...] = ()
        self._go_on(None)

    def at_once(self) -> list[Located] | None:
        """The targets, None when somebody has to be asked for them."""
        while self._targets is None:
            answers: dict[Question, Answer] = {}
            for question in self._questions:
                answer = self._resolver.cached(question)
                if answer is None:
                    return None
                answers[question] = answer
            self._go_on(answers)
        return self._targets

    async def find(self) -> list[Located]:
        while self._targets is None:
            answers = await asyncio.gather(*(self._resolver.ask(question) for question in self._questions))
            self._go_on(dict(zip(self._questions, answers, strict=True)))
        return self._targets

    def _go_on(self, answers: Answers | None) -> None:
        try:
            self._questions = next(self._search) if answers is None else self._search.send(answers)
        except StopIteration as end:
            self._targets = end.value
