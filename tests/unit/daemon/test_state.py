"""Where state is kept."""

import os
import stat
from pathlib import Path

import pytest

from talkburst.daemon.settings import Settings
from talkburst.daemon.start_error import StartError
from talkburst.daemon.state import control_path, state_directory, state_path

linux_only = pytest.mark.skipif(os.uname().sysname != "Linux", reason="the directories of this test are those of Linux")


@linux_only
@pytest.mark.parametrize(
    ("state", "environ", "path"),
    [
        ("/named", {"XDG_STATE_HOME": "/x", "HOME": "/home/a"}, "/named"),
        ("", {"XDG_STATE_HOME": "/x", "HOME": "/home/a"}, "/x/talkburst"),
        ("", {"XDG_STATE_HOME": "relative", "HOME": "/home/a"}, "/home/a/.local/state/talkburst"),
        ("", {"HOME": "/home/a"}, "/home/a/.local/state/talkburst"),
    ],
)
def test_the_settings_say_where_else_the_platform(state: str, environ: dict[str, str], path: str) -> None:
    assert state_path(Settings(state=state), environ) == Path(path)


def test_the_directory_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    path = state_directory(Settings(state=str(tmp_path / "a" / "b")))
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert state_directory(Settings(state=str(path))) == path


def test_looking_for_a_control_socket_makes_nothing(tmp_path: Path) -> None:
    settings = Settings(state=str(tmp_path / "a"))
    assert control_path(settings, "core") == tmp_path / "a" / "core.sock"
    assert not (tmp_path / "a").exists()


def test_a_directory_that_can_not_be_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartError, match=r"cannot make the state directory .*/file.*; name another with --state DIR"):
        state_directory(Settings(state=str(tmp_path / "file")))
    with pytest.raises(StartError, match="Not a directory"):
        state_directory(Settings(state=str(tmp_path / "file" / "sub")))
