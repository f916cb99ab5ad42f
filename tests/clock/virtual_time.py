"""Virtual time for whatever has deadlines: it passes when a test says so, and nothing waits."""

from typing import Protocol


class Timed(Protocol):
    """An engine, as far as time goes."""

    def next_deadline(self) -> float | None: ...

    def handle_timer(self, now: float) -> None: ...


def pass_time(engine: Timed, now: float, seconds: float) -> float:
    """Let `seconds` pass, deadline by deadline; the moment that it is then."""
    end = now + seconds
    while (deadline := engine.next_deadline()) is not None and deadline <= end:
        now = max(now, deadline)
        engine.handle_timer(now)
    return end
