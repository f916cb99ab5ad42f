"""A server under measurement: a process tree on one core, the CPU time it has used, the memory it holds."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

START_WITHIN = 180.0  # seconds; 100,000 users have to be read first
STOP_WITHIN = 20.0
OPTIONS = (
    "OPTIONS sip:127.0.0.1:{port} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{own};branch=z9hG4bK{own};rport\r\n"
    "Max-Forwards: 70\r\nFrom: <sip:bench@ims.test>;tag=b\r\nTo: <sip:127.0.0.1:{port}>\r\nCall-ID: {own}@bench\r\n"
    "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)


class UnmeasurableError(Exception):
    """Why there are no figures; one line."""


def on_core(core: int, command: Sequence[str]) -> list[str]:
    """The command, held on one processor. A machine with one processor has it share that."""
    cores = sorted(os.sched_getaffinity(0))
    return ["taskset", "-c", str(cores[core % len(cores)]), *command]


def free_port() -> int:
    """A port that is free for UDP and TCP, and below those that connections get by themselves."""
    while True:
        port = random.randrange(10_000, 30_000)
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as stream,
        ):
            datagrams.bind(("127.0.0.1", port))
            stream.bind(("127.0.0.1", port))
            return port


class Measured:
    """A server on core 0 that has answered OPTIONS on `port`, or has said that it is ready.

    `says` is a line in its log that says so, for one that speaks no SIP. `started_in`: the seconds that took.
    """

    def __init__(
        self, command: Sequence[str], port: int, log: Path, env: Mapping[str, str] | None = None, says: str = ""
    ) -> None:
        self.port = port
        self._log = log
        began = time.monotonic()
        with log.open("w") as output:
            self._process = subprocess.Popen(
                on_core(0, command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )
        try:
            if says:
                self._await_word(says)
            else:
                self._await_answer()
        except BaseException:
            self.stop()
            raise
        self.started_in = time.monotonic() - began

    def _await_answer(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            probe.settimeout(0.2)
            request = OPTIONS.format(port=self.port, own=probe.getsockname()[1]).encode()
            give_up = time.monotonic() + START_WITHIN
            while time.monotonic() < give_up:
                self._must_run()
                try:
                    probe.sendto(request, ("127.0.0.1", self.port))
                    probe.recv(65536)
                except OSError:
                    continue
                return
        raise UnmeasurableError(f"{self._process.args} did not answer within {START_WITHIN:g} s: {self.last_words()}")

    def _await_word(self, word: str) -> None:
        give_up = time.monotonic() + START_WITHIN
        while word not in self._log.read_text(errors="replace"):
            self._must_run()
            if time.monotonic() > give_up:
                raise UnmeasurableError(f"{self._process.args} was not ready within {START_WITHIN:g} s")
            time.sleep(0.05)

    def _must_run(self) -> None:
        if self._process.poll() is not None:
            raise UnmeasurableError(f"{self._process.args} ended: {self.last_words()}")

    def last_words(self) -> str:
        return " | ".join(self._log.read_text(errors="replace").splitlines()[-5:])

    def cpu(self) -> float:
        """Seconds of CPU that every thread of every process of it has used."""
        return (
            sum(
                int((thread / "schedstat").read_text().split()[0])
                for process in self._tree()
                for thread in Path(f"/proc/{process}/task").iterdir()
            )
            / 1e9
        )

    def memory(self) -> int:
        """Bytes of physical memory; what processes share is counted once (PSS, which is the RSS of a single one)."""
        return sum(_pss(process) for process in self._tree())

    def _tree(self) -> Iterator[int]:
        waiting = [self._process.pid]
        while waiting:
            process = waiting.pop()
            yield process
            for thread in Path(f"/proc/{process}/task").iterdir():
                waiting += [int(child) for child in (thread / "children").read_text().split()]

    def stop(self) -> None:
        if self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def rest(servers: Sequence[Measured], at_most: float = 20.0) -> None:
    """Waits until the servers have nothing to do: half a second with less than 20 ms of CPU. `at_most`: seconds."""
    until = time.monotonic() + at_most
    while time.monotonic() < until:
        before = sum(server.cpu() for server in servers)
        time.sleep(0.5)
        if sum(server.cpu() for server in servers) - before < 0.02:
            return


def _pss(process: int) -> int:
    for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0
