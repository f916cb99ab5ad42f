"""What the client keeps between runs: its instance id, the entity-tags of its publications, the settings chosen."""

import contextlib
import json
import re
import uuid
from pathlib import Path
from typing import Any

from talkburst.daemon.whole_file import write_whole
from talkburst.store import StateLock, StoreError


class ClientState:
    """One file for each private id in the state directory, for this process alone until `close`.

    Raises StoreError for a file that cannot be used: to overwrite it would make another device of this one. OSError
    when it cannot be written.
    """

    def __init__(self, directory: Path, private_id: str, instance: str = "") -> None:
        self._path = directory / f"client-{re.sub(r'[^A-Za-z0-9@.+-]', '_', private_id)}.json"
        with contextlib.ExitStack() as opened:
            self._lock = StateLock(self._path)
            opened.callback(self.close)
            self._take(instance)
            opened.pop_all()

    def close(self) -> None:
        """Let another process have the file."""
        self._lock.release()

    def _take(self, instance: str) -> None:
        self._kept = self._read()
        known = self._kept.get("instance")
        self.instance = instance or (known if isinstance(known, str) else "") or f"urn:uuid:{uuid.uuid4()}"
        if known != self.instance:
            # RFC 5626 4.1: the instance id lasts; another one makes another device, whose tags are none of ours.
            self._kept = {"instance": self.instance}
            self._write()

    def etag(self, address: str) -> str | None:
        """The entity-tag of what was published under a PoC Address."""
        etag = self._etags().get(address)
        return etag if isinstance(etag, str) else None

    def keep_etag(self, address: str, etag: str | None) -> None:
        """Remember an entity-tag, or with None that nothing is published."""
        self._keep("etags", {**self._etags(), address: etag})

    @property
    def choice(self) -> object:
        """The settings that were chosen at run time, as `keep_choice` was given them, or whatever stands there."""
        return self._kept.get("choice")

    def keep_choice(self, choice: dict[str, Any] | None) -> None:
        """Remember the settings chosen at run time, or with None that there are none."""
        self._keep("choice", choice)

    def _keep(self, name: str, value: object) -> None:
        before, self._kept = self._kept, {**self._kept, name: value}
        try:
            self._write()
        except OSError:
            self._kept = before
            raise

    def _etags(self) -> dict[str, Any]:
        etags = self._kept.get("etags")
        return etags if isinstance(etags, dict) else {}

    def _read(self) -> dict[str, Any]:
        try:
            kept = json.loads(self._path.read_text("utf-8"))
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise StoreError(f"cannot read {self._path}: {error.strerror}") from None
        except ValueError as error:
            raise StoreError(f"cannot use {self._path}, it is damaged: {error}") from None
        if not isinstance(kept, dict) or not isinstance(kept.get("instance"), str):
            raise StoreError(f"cannot use {self._path}, it is damaged: it names no instance")
        return kept

    def _write(self) -> None:
        write_whole(self._path, json.dumps(self._kept, indent=2) + "\n")
