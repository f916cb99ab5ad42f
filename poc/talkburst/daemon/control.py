"""The control socket: how a running daemon is asked and told. One JSON object a line, one back for each.

{"command": "show"}                                  ->  {"ok": true, "result": {...}}
{"command": "settings", "answer_mode": "manual"}     ->  {"ok": false, "error": "..."}
"""

import asyncio
import contextlib
import json
import os
import socket
import stat
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from talkburst.daemon.log import Log
from talkburst.daemon.near import near
from talkburst.daemon.start_error import StartError

LONGEST_REQUEST = 64 * 1024  # octets in a line
LONGEST_ANSWER = 16 * 1024 * 1024
TIMEOUT = 10.0  # seconds that `ask` waits

Answer = dict[str, Any]
Command = Callable[[Answer], Awaitable[Answer]]


class ControlError(Exception):
    """A command that was refused, or a daemon that does not answer; the text is for the user."""


class ControlServer:
    """The daemon's end. `bind` first, so that a second instance stops before it touches anything; `serve` when up."""

    def __init__(self, name: str, path: Path, log: Log) -> None:
        self.path = path
        self._name = name
        self._log = log
        self._socket: socket.socket | None = None
        self._inode = 0
        self._server: asyncio.Server | None = None
        self._commands: Mapping[str, Command] = {}
        self._connections: set[asyncio.Task[None]] = set()
        self._closing = False

    def bind(self) -> None:
        """Take the path, over the socket of a dead process if there is one; raises StartError."""
        self._clear_stale()
        self._socket = socket.socket(socket.AF_UNIX)
        mask = os.umask(0o177)  # so that the socket never exists with another mode than 0600
        try:
            self._socket.bind(str(self.path))
            self._socket.listen()
        except OSError as error:
            self._socket.close()
            why = "the path is too long for a socket" if error.errno is None else error.strerror
            raise StartError(f"cannot make the control socket {self.path}: {why}; give --control PATH") from None
        finally:
            os.umask(mask)
        self._socket.setblocking(False)
        self._inode = self.path.stat().st_ino

    def _clear_stale(self) -> None:
        try:
            mode = self.path.lstat().st_mode
        except FileNotFoundError:
            return
        except OSError as error:
            raise StartError(f"cannot make the control socket {self.path}: {error.strerror}") from None
        if not stat.S_ISSOCK(mode):
            raise StartError(f"cannot make the control socket {self.path}: a file of that name is there; move it away")
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1.0)
            try:
                probe.connect(str(self.path))
            except ConnectionRefusedError:
                self.path.unlink(missing_ok=True)
                return
            except OSError as error:
                raise StartError(f"cannot use the control socket {self.path}: {error.strerror or error}") from None
        raise StartError(
            f"a {self._name} is running already, it answers on {self.path}; "
            "stop it, or give this one its own --state DIR"
        )

    async def serve(self, commands: Mapping[str, Command]) -> None:
        """Start to answer."""
        self._commands = commands
        self._server = await asyncio.start_unix_server(self._converse, sock=self._socket, limit=LONGEST_REQUEST)

    async def close(self) -> None:
        """Stop answering and remove the socket, if it is still ours."""
        self._closing = True
        if self._server is not None:
            self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()
        if self._socket is not None:
            self._socket.close()
            with contextlib.suppress(OSError):
                if self.path.lstat().st_ino == self._inode:
                    self.path.unlink()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            while not self._closing and (line := await self._read_line(reader)):
                writer.write(_line(await self._answer(line)))
                await writer.drain()
        except ValueError:
            writer.write(_line(_refusal(f"the line is longer than {LONGEST_REQUEST} octets")))
        except (OSError, asyncio.CancelledError):
            pass  # the asker went away, or the daemon ends
        finally:
            self._connections.discard(task)
            writer.close()

    @staticmethod
    async def _read_line(reader: asyncio.StreamReader) -> bytes:
        """The next line that is not blank; empty at the end of the stream. ValueError when it is too long."""
        while (line := await reader.readline()) and not line.strip():
            pass
        return line

    async def _answer(self, line: bytes) -> Answer:
        try:
            request = json.loads(line)
        except (ValueError, RecursionError):
            return _refusal("the line is not JSON")
        if not isinstance(request, dict) or not isinstance(request.get("command"), str):
            return _refusal('the line must be an object with "command"')
        name = request.pop("command")
        if name not in self._commands:
            hint = near(name, self._commands) or f"; there are {', '.join(sorted(self._commands))}"
            return _refusal(f'no command "{name}"{hint}')
        try:
            return {"ok": True, "result": await self._commands[name](request)}
        except (ControlError, ValueError) as error:
            return _refusal(str(error))
        except Exception as error:  # noqa: BLE001 - a fault in one command must not end the daemon
            self._log.exception("control command failed", error, command=name)
            return _refusal("the daemon failed in this command; its log says how")


def _refusal(text: str) -> Answer:
    return {"ok": False, "error": text}


def _line(answer: Answer) -> bytes:
    return json.dumps(answer, default=str, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


def ask(path: Path, command: str, **arguments: object) -> Answer:
    """Ask the daemon behind the socket and wait for its answer; raises ControlError."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(TIMEOUT)
        try:
            connection.connect(str(path))
            connection.sendall(_line({"command": command, **arguments}))
            with connection.makefile("rb") as lines:
                line = lines.readline(LONGEST_ANSWER)
        except (FileNotFoundError, ConnectionRefusedError):
            raise ControlError(
                f"nothing answers on {path}; is the daemon running with this state directory? "
                "--state DIR or --control PATH names another"
            ) from None
        except TimeoutError:
            raise ControlError(f"no answer on {path} within {TIMEOUT:g} s") from None
        except OSError as error:
            raise ControlError(f"cannot ask on {path}: {error.strerror or error}") from None
    if len(line) == LONGEST_ANSWER:
        raise ControlError(
            f"the answer is longer than {LONGEST_ANSWER >> 20} MiB; ask for less with --limit N or for one identity"
        )
    if not line.endswith(b"\n"):
        raise ControlError(f"the daemon on {path} closed the connection without an answer")
    answer = json.loads(line)
    if not answer["ok"]:
        raise ControlError(answer["error"])
    result: Answer = answer["result"]
    return result
