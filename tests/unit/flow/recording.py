"""Messages of a run of the flow, and ways to spoil it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from talkburst.flow.roles import Role
from talkburst.obs.frame import Endpoint, Frame

START = 1_700_000_000.0


@dataclass
class Shot:
    """One message on the wire; `step` is None for what is no step by itself."""

    step: int | None
    sender: Role
    receiver: Role
    source: Endpoint
    destination: Endpoint
    payload: bytes
    time: float
    protocol: str = "sip"
    transport: str = "UDP"

    def frame(self, time: float, node: str | None = None, outbound: bool | None = None) -> Frame:
        return Frame(
            time,
            self.source,
            self.destination,
            self.transport,
            self.protocol,
            self.payload,
            node,
            outbound,  # type: ignore[arg-type]  # literals
        )


@dataclass
class Recording:
    """A run of the flow, message by message. Every change gives another recording."""

    shots: list[Shot] = field(default_factory=list)

    def __add__(self, other: "Recording") -> "Recording":
        return Recording(sorted([*self.shots, *other.shots], key=lambda shot: shot.time))

    def step(self, number: int) -> Shot:
        return next(shot for shot in self.shots if shot.step == number)

    def without(self, *steps: int) -> "Recording":
        return Recording([shot for shot in self.shots if shot.step not in steps])

    def only(self, *steps: int) -> "Recording":
        return Recording([shot for shot in self.shots if shot.step in steps])

    def change(self, step: int | Iterable[int], old: str, new: str, count: int = -1) -> "Recording":
        """Replace text in messages, which must have it; Content-Length follows."""
        steps = {step} if isinstance(step, int) else set(step)
        return Recording(
            [
                replace(shot, payload=_edit(shot.payload, old, new, count)) if shot.step in steps else shot
                for shot in self.shots
            ]
        )

    def moved(self, step: int, time: float) -> "Recording":
        """One message at another time, seconds since the start."""
        shots = [replace(shot, time=START + time) if shot.step == step else shot for shot in self.shots]
        return Recording(sorted(shots, key=lambda shot: shot.time))

    def later(self, seconds: float) -> "Recording":
        return Recording([replace(shot, time=shot.time + seconds) for shot in self.shots])

    def at(self, step: int) -> float:
        return self.step(step).time - START

    def frames(self) -> list[Frame]:
        """As one tap in the middle sees it."""
        return [shot.frame(shot.time) for shot in self.shots]

    def reported(self, lost: Iterable[int] = (), silent: Iterable[Role] = ()) -> list[Frame]:
        """As both ends report it, but for roles that report nothing. `lost` steps were sent and never received."""
        frames = []
        for shot in self.shots:
            if shot.sender not in silent:
                frames.append(shot.frame(shot.time, shot.sender, True))
            if shot.receiver not in silent and shot.step not in set(lost):
                frames.append(shot.frame(shot.time + 0.0005, shot.receiver, False))
        return sorted(frames, key=lambda frame: frame.time)


def _edit(payload: bytes, old: str, new: str, count: int) -> bytes:
    assert old.encode() in payload, f"{old!r} is not in {payload.decode()}"
    edited = payload.replace(old.encode(), new.encode(), count)
    head, blank, body = edited.partition(b"\r\n\r\n")
    return re.sub(rb"Content-Length: \d+", b"Content-Length: %d" % len(body), head) + blank + body
