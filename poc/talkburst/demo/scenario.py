"""What the client of a demo meets: nothing published yet, another client's settings, or no ISIM."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

_NO_ISIM = "001010000000004@ims.mnc001.mcc001.3gppnetwork.org"


@dataclass(slots=True, frozen=True)
class Scenario:
    """`owner` has documents at the XDMS. `client` is what the configuration of the first client says, beyond its
    defaults; `second` is what a second client is told beyond that, whose flow is then the one that is judged.
    """

    text: str
    owner: str = "sip:alice@ims.example"
    password: str = "alice"
    client: dict[str, Any] = field(default_factory=dict)
    second: dict[str, str] = field(default_factory=dict)

    @property
    def second_flags(self) -> tuple[str, ...]:
        """`second` as the second client's command line says it."""
        return tuple(word for key, value in self.second.items() for word in (f"--{key.replace('_', '-')}", value))

    @property
    def flows(self) -> int:
        """How many registrations there are; the last one is judged."""
        return 2 if self.second else 1


SCENARIOS: Final[dict[str, Scenario]] = {
    "first-client": Scenario("alice's client, nothing published yet"),
    "second-client": Scenario(
        "alice's second client, which finds the settings of her first one and overrides them",
        second={"private_id": "alice-2@ims.example", "answer_mode": "manual"},
    ),
    "no-isim": Scenario(
        "dave's client, which knows only what its IMSI gives, and learns his PoC Address from the core",
        owner="sip:dave@ims.example",
        password="dave",
        client={
            "private_id": _NO_ISIM,
            "public_id": f"sip:{_NO_ISIM}",
            "registrar": f"sip:{_NO_ISIM.partition('@')[2]}",
            "password": "dave",
        },
    ),
}
