from typing import Any

import pytest

from notifier_bench import Bench


@pytest.fixture
def bench(net: Any) -> Bench:
    return Bench(net)
