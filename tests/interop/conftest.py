"""One capture of every demo, for all the strangers who judge it."""

import pytest

from demo_capture import Capture, capture_demo

SCENARIOS = ("first-client", "second-client", "no-isim")


@pytest.fixture(
    scope="session",
    params=[(scenario, transport) for scenario in SCENARIOS for transport in ("udp", "tcp")],
    ids="-".join,
)
def capture(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Capture:
    """A demo of each scenario on each transport, run once for all tests."""
    scenario, transport = request.param
    return capture_demo(scenario, transport, tmp_path_factory.mktemp(f"{scenario}-{transport}"))
