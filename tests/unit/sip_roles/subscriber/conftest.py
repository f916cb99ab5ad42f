from typing import Any

import pytest

from subscriber_bench import Bench


@pytest.fixture
def bench(net: Any) -> Bench:
    return Bench(net)
