"""The client as a process, against a registrar of one answer: how it ends, what it says, what it takes when running."""

import asyncio
import contextlib
import json
import os
import signal
import sys

import pytest

from talkburst.sip.message import Request, response_to
from talkburst.sip.parser import parse_message

LIMIT = 20  # seconds that anything may take


class Registrar(asyncio.DatagramProtocol):
    """Answers every request with `status`."""

    def __init__(self, status):
        self.status = status
        self.seen = []

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, source):
        request = parse_message(data)
        if isinstance(request, Request):
            self.seen.append(request)
            status = self.status if request.method == "REGISTER" else 480
            headers = [("Contact", f"{request.get('Contact')};expires=3600")] if status == 200 else []
            self.transport.sendto(response_to(request, status, to_tag="r", headers=headers).to_bytes(), source)


@pytest.fixture
async def start(tmp_path):
    """Starts a client; `start(status)` gives the process and the registrar."""
    running = []

    async def begin(status, *arguments):
        transport, registrar = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: Registrar(status), local_addr=("127.0.0.1", 0)
        )
        port = transport.get_extra_info("sockname")[1]
        config = tmp_path / "talkburst.toml"
        config.write_text(f'[hosts]\n"ims.example" = "127.0.0.1:{port}"\n[client]\nlisten = ["udp:127.0.0.1:0"]\n')
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "talkburst.ua", "--config", str(config), "--state", str(tmp_path / "state")),
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={name: value for name, value in os.environ.items() if not name.startswith("TALKBURST_")},
        )
        running.append((process, transport))
        return process, registrar

    yield begin
    for process, transport in running:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()
        transport.close()


async def ask(path, command, **arguments):
    """One exchange over the control socket."""
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(json.dumps({"command": command, **arguments}).encode() + b"\n")
    line = await asyncio.wait_for(reader.readline(), LIMIT)
    writer.close()
    await writer.wait_closed()
    return json.loads(line)


@pytest.mark.parametrize(("status", "words"), [(403, "alice@ims.example may not register"), (404, "is no user there")])
async def test_refused_client_ends_with_exit_code_1_and_says_who_and_why(start, status, words):
    process, _ = await start(status)
    out, err = await asyncio.wait_for(process.communicate(), LIMIT)
    assert process.returncode == 1
    assert out.startswith(b"ready client udp:127.0.0.1:")
    last = err.decode().splitlines()[-1]
    assert last.startswith(f"client: registration refused by sip:ims.example: {status}")
    assert words in last
    assert b"Traceback" not in err


async def test_running_client_tells_and_takes_settings_and_unregisters_when_told_to_end(start, tmp_path):
    process, registrar = await start(200)
    await asyncio.wait_for(process.stdout.readline(), LIMIT)
    path = str(tmp_path / "state" / "client.sock")
    answer = await ask(path, "settings", answer_mode="manual")
    assert answer["result"]["wishes"] == {"answer_mode": "manual", "barring": False}
    assert (await ask(path, "settings", answer_mode="maybe"))["error"] == (
        "answer_mode = 'maybe': must be automatic or manual"
    )
    assert "barring" in (await ask(path, "settings", barring="perhaps"))["error"]
    assert "no such setting: mode" in (await ask(path, "settings", mode="manual"))["error"]
    assert (await ask(path, "show"))["result"]["private_id"] == "alice@ims.example"
    process.send_signal(signal.SIGTERM)
    await asyncio.wait_for(process.communicate(), LIMIT)
    assert process.returncode == 0
    registers = [request.get("Expires") for request in registrar.seen if request.method == "REGISTER"]
    assert registers[0] == "600000"
    assert registers[-1] == "0"


async def test_instance_id_is_the_same_after_a_restart(start):
    contacts = []
    for _ in range(2):
        process, registrar = await start(403)
        await asyncio.wait_for(process.communicate(), LIMIT)
        contacts.append(registrar.seen[0].get("Contact").partition("+sip.instance")[2])
    assert contacts[0] == contacts[1]


async def test_wrong_outbound_proxy_is_a_configuration_error(start):
    process, _ = await start(200, "--outbound", "not a host")
    _, err = await asyncio.wait_for(process.communicate(), LIMIT)
    assert process.returncode == 2
    assert err.decode().startswith("client: client.outbound: ")
