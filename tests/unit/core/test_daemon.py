"""The core as a daemon: its files, its sockets, what it shows."""

import asyncio
import socket
from pathlib import Path

import pytest

from talkburst.daemon.log import Log
from talkburst.daemon.settings import ConfigurationError, CoreSettings, Settings, Trust
from talkburst.daemon.shown import select
from talkburst.daemon.start_error import StartError
from talkburst.obs.trace import Trace
from talkburst.store import Change, SqliteState
from talkburst_core.daemon import CoreDaemon, world

REGISTER = (
    b"REGISTER sip:ims.example SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK1;rport\r\n"
    b"From: <sip:alice@ims.example>;tag=a\r\nTo: <sip:alice@ims.example>\r\nCall-ID: c\r\nCSeq: 1 REGISTER\r\n"
    b"Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
)


def settings(state: Path | None, **core: object) -> Settings:
    free = {"listen": ["udp:127.0.0.1:0"], "listen_servers": ["udp:127.0.0.1:0"]}
    return Settings(state=str(state or ""), core=CoreSettings(**{**free, **core}))


def daemon(state: Path | None = None, **core: object) -> CoreDaemon:
    return CoreDaemon(settings(state, **core), Trace("core"), Log("core"))


async def test_daemon_listens_for_clients_and_for_servers_and_challenges(tmp_path: Path) -> None:
    core = daemon(tmp_path, listen=["udp:127.0.0.1:0", "udp:127.0.0.1:0"])
    addresses = await core.start()
    try:
        assert [address.rpartition(":")[0] for address in addresses] == ["udp:127.0.0.1"] * 3
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.setblocking(False)
            for address in addresses:
                port = address.rpartition(":")[2]
                client.sendto(REGISTER.replace(b"c\r\nCSeq", port.encode() + b"\r\nCSeq"), ("127.0.0.1", int(port)))
                answer = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(client, 65535), 5)
                assert answer.startswith(b"SIP/2.0 401 Unauthorized\r\n")
        assert select(core.show())["subscribers"] == 4
        assert core.show()["registrations"] == []
    finally:
        await core.stop()


def test_code_of_the_core_knows_no_service() -> None:
    package = Path(str(world())).parent
    for file in package.glob("*.py"):
        text = file.read_text("utf-8").lower()
        assert "g.poc" not in text, file
        assert "poc-settings" not in text, file


def test_daemon_is_built_with_its_defaults() -> None:
    core = CoreDaemon(Settings(), Trace("core"), Log("core"))
    assert (core.name, dict(core.commands)) == ("core", {})


def test_profiles_are_read_from_a_directory_and_what_cannot_be_used_is_named(tmp_path, caplog) -> None:
    good = (world() / "profiles" / "bob.xml").read_bytes()
    (tmp_path / "bob.xml").write_bytes(good)
    (tmp_path / "bad.xml").write_bytes(b"<IMSSubscription>")
    (tmp_path / "notes.txt").write_text("not a profile")
    core = daemon(profiles=str(tmp_path))
    assert [subscriber.private_ids for subscriber in core.core.subscribers] == [["bob@ims.example"]]
    (record,) = caplog.records
    assert record.getMessage() == "profile skipped"
    assert record.fields["where"].startswith("bad.xml: not well-formed XML")


def test_empty_directory_is_warned_of(tmp_path, caplog) -> None:
    daemon(profiles=str(tmp_path))
    assert caplog.records[0].getMessage() == "nobody can register: no profile could be used"


@pytest.mark.parametrize(
    ("core", "problem"),
    [
        ({"profiles": "/nowhere/at/all"}, "core.profiles: /nowhere/at/all is no directory"),
        ({"credentials": "/nowhere/at/all.toml"}, "core.credentials: cannot read /nowhere/at/all.toml: No such file"),
    ],
)
def test_file_that_is_not_there_is_a_configuration_error(core: dict[str, object], problem: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        daemon(**core)
    assert raised.value.problems[0].startswith(problem)


def test_credentials_that_make_no_sense_are_a_configuration_error(tmp_path) -> None:
    file = tmp_path / "c.toml"
    file.write_text('["a@x"]\nalgorithms = ["MD5"]\n')
    with pytest.raises(ConfigurationError, match=r"core\.credentials: c\.toml: a@x: password is missing"):
        daemon(credentials=str(file))


def test_trusted_name_without_an_address_is_a_configuration_error() -> None:
    wrong = Settings(trust=Trust(peers=["nowhere.example"]))
    with pytest.raises(ConfigurationError, match=r"trust\.peers: nowhere\.example is no address"):
        CoreDaemon(wrong, Trace("core"), Log("core"))


async def test_what_is_stored_is_there_when_the_daemon_starts_again(tmp_path: Path) -> None:
    first = daemon(tmp_path)
    await first.start()
    await first.stop()
    keys = []
    for _ in range(2):
        again = daemon(tmp_path)
        await again.start()
        keys.append(again.core._verifier.key)
        await again.stop()
    assert keys == [first.core._verifier.key] * 2


async def test_a_row_that_makes_no_sense_is_an_error_that_says_where(tmp_path: Path) -> None:
    store = SqliteState(tmp_path / "core.db")
    await store.commit([Change("subscriptions", "x", {"package": "reg"})])
    await store.close()
    core = daemon(tmp_path)
    with pytest.raises(StartError, match=r"cannot use what .*core\.db holds: resource is None and no text; move the"):
        await core.start()
    await core.stop()


async def test_a_state_that_can_be_neither_written_nor_read_ends_the_daemon(tmp_path: Path) -> None:
    core = daemon(tmp_path)
    await core.start()
    ended = asyncio.ensure_future(core.ended())
    core._revert(core._clock.now())
    assert not ended.done()
    core._store._file.reader.close()
    core._revert(core._clock.now())
    with pytest.raises(StartError, match="neither written nor read: cannot read"):
        await asyncio.wait_for(ended, 5)
    await core.stop()
