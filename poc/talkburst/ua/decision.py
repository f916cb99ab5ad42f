"""How the rooms of the client tell what they decided and why; the daemon writes it to its log."""

from collections.abc import Callable, Mapping

Decide = Callable[[str, Mapping[str, object]], None]
