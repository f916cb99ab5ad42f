"""A demo that waits for a program from outside, and second installations of ours that know only what it prints."""

import asyncio
import contextlib
import json
import re
import signal
from pathlib import Path
from typing import Any

import tomli_w

from harness import DEMO_WITHIN, TALKBURST, Ran, environment

# Ports as the system has them free, so that no two tests and no daemon of the machine meet.
FREE_PORTS = tuple(f"--port={name}=0" for name in ("core", "core-servers", "server", "xdms"))
Address = tuple[str, int]


class ExternalDemo:
    """`talkburst demo` in the background, its output read as it comes."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "demo"
        self.out = ""
        self._report = directory / "report.json"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, *arguments: str, config: dict[str, Any] | None = None) -> None:
        options = ["--state", str(self.directory), "--report", str(self._report)]
        if config is not None:
            path = self._report.with_name("demo.toml")
            path.write_text(tomli_w.dumps(config))
            options += ["--config", str(path)]
        self._process = await asyncio.create_subprocess_exec(
            *TALKBURST,
            *("demo", *options, *FREE_PORTS, *arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=environment(),
        )

    async def said(self, text: str) -> str:
        """Read on until a line has this text."""
        assert self._process is not None
        assert self._process.stdout is not None
        async with asyncio.timeout(DEMO_WITHIN):
            while True:
                line = (await self._process.stdout.readline()).decode()
                assert line, f"ended before it said {text!r}:\n{self.out}"
                self.out += line
                if text in line:
                    return line

    def interrupt(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)

    async def ended(self) -> Ran:
        assert self._process is not None
        assert self._process.stdout is not None
        rest = await asyncio.wait_for(self._process.stdout.read(), DEMO_WITHIN)
        self.out += rest.decode()
        status = await asyncio.wait_for(self._process.wait(), DEMO_WITHIN)
        report = json.loads(self._report.read_text()) if self._report.exists() else {}
        assert "Traceback" not in self.out, self.out
        return Ran(status, self.out, "", report, self.directory)

    async def kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await self._process.communicate()

    def told(self, role: str) -> dict[str, str]:
        """The block for a role, as printed: labels and values. A label that stands there twice keeps the last."""
        title = {"server": "PoC server", "xdms": "XDMS"}.get(role, role)
        _, _, rest = self.out.partition(f"Your {title} takes the place of ours:\n")
        block = rest.partition("\n\n")[0]
        assert block, self.out
        joined = re.sub(r"\n {4,}", " ", block)
        return dict(re.findall(r"^  (\S+(?: \S+)*) {2,}(.*)$", joined, re.MULTILINE))


def address_in(value: str) -> str:
    """HOST:PORT within what is printed."""
    found = re.search(r"(?:[\w.]+|\[[\w:]+\]):\d+", value)
    assert found is not None, value
    return found[0]


class Installation:
    """`talkburst NAME` with a configuration and a state of its own, reporting to nobody."""

    def __init__(self, name: str, directory: Path, command: tuple[str, ...] = TALKBURST) -> None:
        self.name = name
        self._command = command
        self._directory = directory / f"second-{name}"
        self._directory.mkdir()
        self._process: asyncio.subprocess.Process | None = None
        self._log = self._directory / "log"

    async def start(self, config: dict[str, Any], *flags: str) -> None:
        """Returns when it is ready."""
        path = self._directory / "own.toml"
        path.write_text(tomli_w.dumps({"state": str(self._directory), **config}))
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                *(self.name, "--config", str(path), *flags),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=environment(),
                cwd=self._directory,
            )
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), DEMO_WITHIN)
        assert line.startswith(b"ready "), self._log.read_text()

    async def stop(self) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
            await self._process.communicate()


def client_config(told: dict[str, str], transport: str = "udp") -> dict[str, Any]:
    """What a client of ours is configured with that takes the place of the demo's."""
    domain = told["registrar"].removeprefix("sip:")
    suffix = ";transport=tcp" if transport == "tcp" else ""
    return {
        "hosts": {domain: address_in(told["reached at"]) + suffix},
        "client": {
            "listen": ["udp:127.0.0.1:0", "tcp:127.0.0.1:0"],
            "transport": transport,
            "registrar": told["registrar"],
            "private_id": told["private id"],
            "password": told["password"],
            "public_id": told["public id"],
        },
    }


def server_config(told: dict[str, str], here: str, transport: str = "udp") -> dict[str, Any]:
    suffix = ";transport=tcp" if transport == "tcp" else ""
    user, _, password = told["XCAP account"].partition(", password ")
    return {
        "hosts": {"scscf.ims.example": address_in(told["core"]) + suffix},
        "server": {
            "uri": told["own URI"],
            "listen": [f"udp:{here}", f"tcp:{here}"],
            "xcap_root": told["XCAP root"].partition(": ")[0],
            "xcap_user": user,
            "xcap_password": password,
        },
    }


def core_config(told: dict[str, str], here: str, servers: str) -> dict[str, Any]:
    profiles = Path(told["criteria"].rpartition(" ")[2]).parent
    return {
        "hosts": {
            told["server URI"].partition(",")[0].removeprefix("sip:"): address_in(told["server"]),
            "scscf.ims.example": servers,
        },
        "core": {
            "listen": [f"udp:{here}", f"tcp:{here}"],
            "listen_servers": [f"udp:{servers}", f"tcp:{servers}"],
            "profiles": str(profiles),
        },
    }


def xdms_config(told: dict[str, str]) -> dict[str, Any]:
    reader, _, rest = told["reader"].partition(", password ")
    owner, _, password = told["owner"].partition(", password ")
    return {
        "xdms": {
            "listen": [f"tcp:{address_in(told['XCAP root'].removeprefix('http://'))}"],
            "readers": {reader: {"password": rest.partition(":")[0]}},
            "accounts": {owner: {"password": password, "aliases": []}},
        }
    }
