"""State that cannot be used: another process has it, it is damaged, there is nowhere to write. Each is said in a line,
nothing is overwritten, and the daemon ends."""

import os
import sys
from pathlib import Path

import pytest

from harness import TALKBURST, command, environment, need
from killable import Killable, configure

pytestmark = pytest.mark.acceptance

FILES = {"core": "core.db", "server": "server.db", "xdms": "xdms.db", "client": "client-alice@ims.example.json"}
LISTENING = {
    "core": ("--listen", "udp:127.0.0.1:0", "--listen-servers", "udp:127.0.0.1:0"),
    "server": ("--listen", "udp:127.0.0.1:0"),
    "xdms": ("--listen", "tcp:127.0.0.1:0"),
    "client": ("--listen", "udp:127.0.0.1:0"),
}


@pytest.mark.parametrize("name", FILES)
async def test_second_daemon_is_refused_a_state_directory(name: str, tmp_path: Path) -> None:
    """Its control socket elsewhere changes nothing. The lock goes with the process that had it."""
    configure(tmp_path, hosts={"ims.example": "127.0.0.1:9"})
    first = Killable(name, tmp_path, *(["--listen", "--listen-servers"] if name == "core" else []))
    await first.start()
    try:
        status, out, err = await begin(name, first.state, "--control", str(tmp_path / "other.sock"))
        assert (status, out) == (1, "")
        file = first.state / FILES[name]
        assert f"{name}: cannot use {file}: process {first.process_id} keeps its state there; stop that one, or" in err
        assert "--state DIR" in err
        await first.show()
        first.strike()
        await first.restart()
    finally:
        await first.close()
    assert "Traceback" not in first.log() + err


@pytest.mark.parametrize("name", FILES)
async def test_damaged_file_is_named_and_not_overwritten(name: str, tmp_path: Path) -> None:
    configure(tmp_path, hosts={"ims.example": "127.0.0.1:9"})
    daemon = Killable(name, tmp_path, *(["--listen", "--listen-servers"] if name == "core" else []))
    await daemon.start()
    daemon.strike()
    await daemon.close()
    for beside in daemon.state.glob("*-wal"):
        beside.unlink()
    file = daemon.state / FILES[name]
    damaged = bytearray(file.read_bytes())
    damaged[20:] = b"\xa5" * (len(damaged) - 20)
    file.write_bytes(damaged)
    status, out, err = await begin(name, daemon.state)
    assert (status, out) == (1, "")
    assert str(file) in err.splitlines()[-1]
    assert "move the file away, or name another place with --state DIR" in err
    assert "Traceback" not in err
    assert file.read_bytes() == damaged


@pytest.mark.skipif(sys.platform != "linux", reason="needs a mount namespace of its own")
@pytest.mark.parametrize("name", FILES)
async def test_state_directory_that_cannot_be_written_is_named(name: str, tmp_path: Path) -> None:
    unshare = need("unshare")
    namespace = [unshare, "--mount"] if os.geteuid() == 0 else [unshare, "--mount", "--user", "--map-root-user"]
    state = tmp_path / "state"
    state.mkdir()
    mount = 'mount -t tmpfs -o ro tmpfs "$0" && exec "$@"'
    arguments = (name, "--state", str(state), *LISTENING[name])
    status, out, err = await command(*namespace, "sh", "-c", mount, str(state), *TALKBURST, *arguments)
    assert (status, out) == (1, "")
    assert f"{name}: cannot write in the state directory {state}" in err
    assert "--state DIR" in err
    assert "Traceback" not in err


async def begin(name: str, state: Path, *arguments: str) -> tuple[int, str, str]:
    """Start a daemon that is expected to end by itself."""
    return await command(*TALKBURST, name, "--state", str(state), *LISTENING[name], *arguments, env=environment())
