"""`talkburst` over TLS as its user meets it: with openssl, with wrong files, with a capture of the demo."""

import asyncio
import json
import signal
import ssl
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import tomli_w

from authority import Authority
from harness import Demo, need, talkburst
from running import Running
from talkburst.flow.readers import read_capture

pytestmark = pytest.mark.acceptance

OPTIONS = """OPTIONS sip:ims.example SIP/2.0
Via: SIP/2.0/TLS 127.0.0.1:5099;branch=z9hG4bKstranger;rport
Max-Forwards: 70
From: <sip:stranger@example.org>;tag=1
To: <sip:ims.example>
Call-ID: stranger
CSeq: 1 OPTIONS
Content-Length: 0

""".replace("\n", "\r\n")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def configure(directory: Path, **tables: object) -> Path:
    file = directory / "talkburst.toml"
    core = {"listen": ["tls:127.0.0.1:0"], "listen_servers": ["udp:127.0.0.1:0"]}
    file.write_text(tomli_w.dumps({"core": core, **tables}))
    return file


@pytest.fixture
async def core(tmp_path: Path, authority: Authority) -> AsyncIterator[Running]:
    keys = authority.issue("ims.example")
    running = Running("core", tmp_path, "--config", str(configure(tmp_path, tls=keys)), "--log-level", "debug")
    await running.start()
    yield running
    assert await running.stop() == 0
    secret = Path(keys["key"]).read_text().splitlines()[1]
    assert secret not in running.log


async def s_client(core: Running, *arguments: str, said: str, until: bytes = b"\r\n\r\n") -> bytes:
    """What `openssl s_client` prints of a conversation in which it says `said`."""
    process = await asyncio.create_subprocess_exec(
        need("openssl"),
        "s_client",
        "-connect",
        core.place("tls"),
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(said.encode())
    got = b""
    async with asyncio.timeout(30):
        while until not in got and (part := await process.stdout.read(4096)):
            got += part
    process.stdin.close()
    if process.returncode is None:
        process.terminate()
    await process.wait()
    return got


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
async def test_openssl_asks_the_core_for_its_options(core: Running, authority: Authority, version: str) -> None:
    name = ("-CAfile", authority.ca, "-verify_hostname", "ims.example", "-verify_return_error", "-quiet")
    got = await s_client(core, *name, version, said=OPTIONS)
    assert b"SIP/2.0 200 OK\r\n" in got
    assert b"Via: SIP/2.0/TLS 127.0.0.1:5099;branch=z9hG4bKstranger;rport=" in got


async def test_openssl_gets_no_renegotiation(core: Running) -> None:
    got = await s_client(core, "-tls1_2", said="R\n", until=b"no renegotiation")
    assert b"no renegotiation" in got
    answer = await s_client(core, "-quiet", said=OPTIONS)
    assert b"SIP/2.0 200 OK" in answer  # and the core goes on


async def test_certificates_that_are_renewed_are_taken_at_sighup(
    core: Running, tmp_path: Path, authority: Authority
) -> None:
    keys = tomllib.loads((tmp_path / "talkburst.toml").read_text())["tls"]
    Path(keys["key"]).write_text("rubbish")
    core.process.send_signal(signal.SIGHUP)
    assert "holds no private key in PEM" in await core.says("certificates not read again")
    for key, path in authority.issue("renewed.example").items():
        Path(keys[key]).write_bytes(Path(path).read_bytes())
    core.process.send_signal(signal.SIGHUP)
    await core.says("certificates read again")
    name = ("-CAfile", authority.ca, "-verify_hostname", "renewed.example", "-verify_return_error", "-quiet")
    assert b"SIP/2.0 200 OK" in await s_client(core, *name, said=OPTIONS)


@pytest.mark.parametrize("name", ["core", "server", "xdms"])
async def test_listener_without_a_certificate_is_wrong_configuration(name: str) -> None:
    status, out, err = await talkburst(name, "--listen", "tls:127.0.0.1:0")
    assert (status, out) == (2, "")
    assert err == (
        f"{name}: {name}.listen: tls:127.0.0.1:0 needs a certificate: set tls.certificate and tls.key "
        f"(or {name}.tls.certificate)\n"
    )


@pytest.mark.parametrize("case", ["expired", "another key", "missing"])
async def test_wrong_files_are_wrong_configuration_and_named(tmp_path: Path, authority: Authority, case: str) -> None:
    keys = authority.issue("ims.example", expired=case == "expired")
    if case == "another key":
        keys["key"] = authority.issue("ims.example")["key"]
    elif case == "missing":
        Path(keys["key"]).unlink()
    said = {
        "expired": f"tls.certificate: {keys['certificate']} expired on ",
        "another key": f"tls.key: {keys['key']} is not the key of the certificate in {keys['certificate']}",
        "missing": f"tls.key: cannot read {keys['key']}: No such file or directory",
    }
    status, out, err = await talkburst("core", "--config", str(configure(tmp_path, tls=keys)))
    assert (status, out) == (2, "")
    assert err.startswith(f"core: {said[case]}")
    assert len(err.splitlines()) == 1


async def test_client_says_why_it_does_not_believe_the_core(tmp_path: Path, authority: Authority) -> None:
    """The core has a certificate for another name: nothing is sent, and the client goes on trying."""
    file = configure(tmp_path, tls={"ca": authority.ca, **authority.issue("other.example")})
    core = await Running("core", tmp_path, "--config", str(file)).start()
    client = {"listen": ["tls:127.0.0.1:0"], "transport": "tls", "hosts": {"ims.example": core.place("tls")}}
    file.write_text(tomli_w.dumps({"tls": {"ca": authority.ca}, "client": client}))
    alice = await Running("client", tmp_path, "--config", str(file)).start()
    try:
        line = await alice.says("not connected")
        assert "domain=ims.example" in line
        assert '"the certificate is for other.example, not for ims.example"' in line
        assert "cannot be reached" in await alice.says("not registered")
    finally:
        await alice.stop()
        await core.stop()
    assert "REGISTER" not in core.log


async def test_documents_are_fetched_over_https(tmp_path: Path, authority: Authority) -> None:
    file = tmp_path / "talkburst.toml"
    keys = {"ca": authority.ca, **authority.issue("xdms.example", "127.0.0.1")}
    file.write_text(tomli_w.dumps({"tls": keys, "xdms": {"listen": ["tls:127.0.0.1:0"]}}))
    xdms = await Running("xdms", tmp_path, "--config", str(file)).start()
    try:
        context = ssl.create_default_context(cafile=authority.ca)
        reader, writer = await asyncio.open_connection("127.0.0.1", xdms.port("tls"), ssl=context)
        writer.write(b"GET /xcap-root/ HTTP/1.1\r\nHost: xdms.example\r\nConnection: close\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), 20)
        assert answer.startswith(b"HTTP/1.1 404 ")
        writer.close()
        await writer.wait_closed()
    finally:
        await xdms.stop()


async def test_capture_of_a_demo_over_tls_holds_its_messages_in_tcp(demo: Demo, tmp_path: Path) -> None:
    capture = tmp_path / "demo.pcap"
    ran = await demo("--transport", "tls", "--pcap", str(capture))
    assert ran.report["verdict"] == "pass", ran.explain()
    assert all("no TLS" not in ran.log(daemon) for daemon in ("client", "core", "server"))
    frames = read_capture(capture)
    assert {frame.transport for frame in frames} == {"TCP"}
    report = tmp_path / "again.json"
    status, out, err = await talkburst("check", str(capture), "--report", str(report))
    assert status == 0, out + err
    assert [step["verdict"] for step in json.loads(report.read_text())["steps"]] == ["pass"] * 32
