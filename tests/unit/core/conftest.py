"""The core on a bench, in the states that most tests begin with."""

import pytest
from core_bench import CoreBench
from transcript import Transcript


@pytest.fixture
def bench() -> CoreBench:
    return CoreBench()


@pytest.fixture
def make_bench() -> type[CoreBench]:
    return CoreBench


@pytest.fixture
def registered() -> CoreBench:
    """Alice is registered with the PoC tag, and the PoC server knows."""
    bench = CoreBench()
    bench.answer(bench.register().to_servers[0], "200 OK")
    bench.decisions.clear()
    return bench


@pytest.fixture
def bob(registered: CoreBench) -> CoreBench:
    """Alice and bob are registered, each with one client."""
    registered.register("bob", "<sip:bob@127.0.0.1:5092>", source=("127.0.0.1", 5092))
    registered.decisions.clear()
    return registered


@pytest.fixture
def transcript(bench: CoreBench) -> Transcript:
    return Transcript(bench)


@pytest.fixture
def transcript_of() -> type[Transcript]:
    return Transcript
