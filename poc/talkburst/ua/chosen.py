"""Which PoC settings hold: those of the configuration, or those that the user chose at run time.

What was chosen outlives the client, until the configuration's settings are others than they were at that moment.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Self, get_args

from talkburst.ua.decision import Decide
from talkburst.ua.settings import Wishes
from talkburst.ua.state import ClientState
from talkburst.xml.poc_settings import AnswerMode

CONFIGURATION: Final = "the configuration"
_MODES: Final[tuple[AnswerMode, ...]] = get_args(AnswerMode)


@dataclass(slots=True, frozen=True)
class Choice:
    """What the user chose, when (seconds since the epoch), and what the configuration said then.

    `published`: the server has had it.
    """

    answer_mode: AnswerMode
    barring: bool
    chosen_at: float
    configured: Mapping[str, object]
    published: bool = False

    def to_dict(self) -> dict[str, Any]:
        return {
            "answer_mode": self.answer_mode,
            "barring": self.barring,
            "chosen_at": self.chosen_at,
            "configured": dict(self.configured),
            "published": self.published,
        }

    @classmethod
    def from_dict(cls, kept: object) -> Self | None:
        """None for what is no choice."""
        if not isinstance(kept, dict):
            return None
        mode = next((mode for mode in _MODES if mode == kept.get("answer_mode")), None)
        barring, configured, at = kept.get("barring"), kept.get("configured"), kept.get("chosen_at")
        if mode is None or not isinstance(barring, bool) or not isinstance(configured, dict):
            return None
        chosen_at = float(at) if isinstance(at, int | float) and 0 <= at < 1e11 else 0.0
        return cls(mode, barring, chosen_at, configured, kept.get("published") is True)


class ChosenSettings:
    """`configured` are the wishes of the configuration; `wishes` are those that hold."""

    def __init__(self, configured: Wishes, state: ClientState, decide: Decide) -> None:
        self._configured = configured
        self._state = state
        self._choice = self._taken_up(Choice.from_dict(state.choice), decide)

    @property
    def wishes(self) -> Wishes:
        """A choice is published; only one that never was goes over another client's settings whatever is configured."""
        if self._choice is None:
            return replace(self._configured)
        on_conflict = self._configured.on_conflict if self._choice.published else "override"
        return Wishes(self._choice.answer_mode, self._choice.barring, True, on_conflict)

    @property
    def source(self) -> str:
        """Where the wishes come from, for a human."""
        if self._choice is None:
            return CONFIGURATION
        return f"client settings, {_time(self._choice.chosen_at)}"

    @property
    def choice(self) -> Choice | None:
        return self._choice

    def choose(self, answer_mode: AnswerMode | None, barring: bool | None, now: float) -> None:
        """The user changes one or both. Kept when this returns; raises OSError, and nothing has changed."""
        wishes = self.wishes
        mode = answer_mode or wishes.answer_mode
        barring = wishes.barring if barring is None else barring
        self.keep(Choice(mode, barring, now, self._as_configured))

    def published(self) -> None:
        """The server has the choice. Raises OSError."""
        if self._choice is not None and not self._choice.published:
            self.keep(replace(self._choice, published=True))

    def keep(self, choice: Choice | None) -> None:
        """Keep another choice, or with None go back to the configuration. Raises OSError, and nothing has changed."""
        if choice != self._choice:
            self._state.keep_choice(None if choice is None else choice.to_dict())
            self._choice = choice

    @property
    def _as_configured(self) -> dict[str, object]:
        configured = self._configured
        return {"answer_mode": configured.answer_mode, "barring": configured.barring, "publish": configured.publish}

    def _taken_up(self, choice: Choice | None, decide: Decide) -> Choice | None:
        if choice is None:
            return None
        facts = {"answer_mode": choice.answer_mode, "barring": choice.barring, "chosen": _time(choice.chosen_at)}
        if choice.configured != self._as_configured:
            decide("settings as configured: the configuration has changed since others were chosen", facts)
            self._state.keep_choice(None)
            return None
        decide("settings as chosen with client settings, not as configured", facts)
        return choice


def _time(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
