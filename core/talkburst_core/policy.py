"""What the operator of a core decides."""

from dataclasses import dataclass, field

from talkburst_core.registration_update import Limits
from talkburst_core.tolerance import FAULTS, Fault


@dataclass(slots=True, frozen=True)
class Policy:
    """What the operator decides. Times are seconds; `uri` is the core's own."""

    domain: str = "ims.example"
    domains: tuple[str, ...] = ()
    uri: str = "sip:scscf.ims.example"
    realm: str = ""
    limits: Limits = field(default_factory=Limits)
    flow_timer: int = 120
    flow_timer_udp: int = 29
    challenge_all: bool = False
    notify_interval: float = 5.0
    notify_first: bool = False
    liveness: float = 5.0
    nonce_lifetime: float = 300.0
    software: str = ""
    tolerate: frozenset[Fault] = FAULTS

    @property
    def all_domains(self) -> frozenset[str]:
        return frozenset(domain.lower() for domain in (self.domain, *self.domains))
