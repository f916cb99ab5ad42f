"""All rows are sent once, to one core and one client; the tests look at what came of them."""

import pytest

from torture_world import Seen, run


@pytest.fixture(scope="session")
def observed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Seen]:
    return run(tmp_path_factory.mktemp("torture"))
