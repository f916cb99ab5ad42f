"""Questions to the DNS, each asked once by however many want to know, and kept for as long as the zone allows."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from talkburst.daemon.log import Log
from talkburst.net.answer_cache import AnswerCache
from talkburst.net.hosts_file import HostsFile
from talkburst.sip.flow import Address
from talkburst.sip.locating import ADDRESS_TYPES, Answer, Question

if TYPE_CHECKING:
    from talkburst.net.dns_client import DnsClient

TIMEOUT = 2.0  # seconds for one question
MOST_AT_ONCE = 128  # questions under way; each has a socket
MOST_WAITING = 4096  # questions that wait for their turn; further ones get no answer


class Resolver:
    """Asks `servers`, or those of the system when there are none.

    An answer without records also stands for a name that is none, a server that does not answer, and an answer that
    cannot be read: whoever asks goes on with what there is.
    """

    def __init__(
        self, servers: Sequence[Address] = (), timeout: float = TIMEOUT, hosts_file: HostsFile | None = None
    ) -> None:
        self.counters: Counter[str] = Counter()
        self._servers = servers
        self._timeout = timeout
        self._hosts_file = hosts_file or HostsFile()
        self._cache = AnswerCache()
        self._asking: dict[Question, asyncio.Task[Answer]] = {}
        self._turns = asyncio.Semaphore(MOST_AT_ONCE)
        self._client: DnsClient | None = None
        self._log = Log("dns")

    def known(self, name: str) -> list[str]:
        """The addresses of a name in the hosts file of this machine."""
        return self._hosts_file.find(name, time.monotonic())

    def cached(self, question: Question) -> Answer | None:
        """The answer, if nobody need be asked."""
        if question.name.rstrip(".").rpartition(".")[2] == "invalid":
            return Answer()  # RFC 6761 6.4
        return self._cache.find(question, time.monotonic())

    async def ask(self, question: Question) -> Answer:
        """The records of a name; whoever wants the same at the same time shares the answer."""
        answer = self.cached(question)
        if answer is not None:
            return answer
        asking = self._asking.get(question)
        if asking is None:
            if len(self._asking) >= MOST_WAITING:
                self.counters["refused"] += 1
                return Answer()
            asking = self._asking[question] = asyncio.get_running_loop().create_task(self._ask(question))
            asking.add_done_callback(lambda _: self._asking.pop(question, None))
        return await asyncio.shield(asking)

    async def addresses(self, name: str, families: Sequence[int] = (6, 4)) -> list[str]:
        """The addresses of a name: those of the hosts file, else of the DNS."""
        noted = [each for each in self.known(name.lower()) if (6 if ":" in each else 4) in families]
        if noted:
            return noted
        questions = [Question(name.lower(), ADDRESS_TYPES[family]) for family in families]
        answers = await asyncio.gather(*(self.ask(question) for question in questions))
        return [address for answer in answers for address in answer.addresses]

    async def close(self) -> None:
        """Give up every question."""
        asking = list(self._asking.values())
        for each in asking:
            each.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    async def _ask(self, question: Question) -> Answer:
        from talkburst.net.dns_client import FAILURE_KEPT, DnsClient, NoAnswerError

        async with self._turns:
            if self._client is None:
                self._client = DnsClient(self._servers, self._timeout)
            self.counters["asked"] += 1
            try:
                answer, ttl = await self._client.query(question)
            except NoAnswerError as error:
                self.counters["failed"] += 1
                self._log.warning("no answer", name=question.name, type=question.type, reason=str(error))
                answer, ttl = Answer(), FAILURE_KEPT
        self._cache.keep(question, answer, ttl, time.monotonic())
        return answer
