"""What the client keeps between runs: its instance id and the entity-tags of its publications."""

import json
import os
import re
import uuid
from pathlib import Path
from typing import Any


class ClientState:
    """One file for each private id in the state directory. What cannot be read is made anew.

    OSError when it cannot be written.
    """

    def __init__(self, directory: Path, private_id: str, instance: str = "") -> None:
        self._path = directory / f"client-{re.sub(r'[^A-Za-z0-9@.+-]', '_', private_id)}.json"
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
        self._kept["etags"] = {**self._etags(), address: etag}
        self._write()

    def _etags(self) -> dict[str, Any]:
        etags = self._kept.get("etags")
        return etags if isinstance(etags, dict) else {}

    def _read(self) -> dict[str, Any]:
        try:
            kept = json.loads(self._path.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return kept if isinstance(kept, dict) else {}

    def _write(self) -> None:
        """Replaces the file as a whole, so that a crash or a power cut leaves the old one or the new one."""
        fresh = self._path.with_suffix(".new")
        with fresh.open("w", encoding="utf-8") as file:
            file.write(json.dumps(self._kept, indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, self._path)
