"""What a publisher does about each answer to each of its operations, as a table.

The operations are those of RFC 3903 4.1, table 1. RFC 3903 has no figure of states: there is a publication as long as
there is an entity-tag that has not expired.
"""

from __future__ import annotations

from enum import Enum, auto
from types import MappingProxyType
from typing import Final

from talkburst.sip.message import Response
from talkburst.sip.transaction.client import Failure


class Operation(Enum):
    """RFC 3903 4.1, table 1."""

    INITIAL = auto()
    REFRESH = auto()
    MODIFY = auto()
    REMOVE = auto()


class Answer(Enum):
    """What became of an operation, as far as it decides what happens next."""

    STORED = auto()  # 2xx
    UNKNOWN = auto()  # 412: the compositor has no such entity-tag
    TOO_BRIEF = auto()  # 423
    UNAVAILABLE = auto()  # no answer, or one that another attempt may change
    REFUSED = auto()  # any other


class Step(Enum):
    """What the agent does about it."""

    KEEP = auto()  # remember the new entity-tag and refresh in time
    RESTART = auto()  # forget the entity-tag, publish initially
    PROLONG = auto()  # ask again with the duration the compositor named
    RETRY = auto()  # the same again, later
    GIVE_UP = auto()  # tell, and wait for the next `publish`
    GONE = auto()  # nothing is published any more


_LASTING: Final = {
    Answer.STORED: Step.KEEP,
    Answer.UNKNOWN: Step.RESTART,
    Answer.TOO_BRIEF: Step.PROLONG,
    Answer.UNAVAILABLE: Step.RETRY,
    Answer.REFUSED: Step.GIVE_UP,
}
STEPS: Final = MappingProxyType(
    {
        # An initial publication refers to no state, so a 412 to it makes no sense and is not answered with another.
        Operation.INITIAL: {**_LASTING, Answer.UNKNOWN: Step.GIVE_UP},
        Operation.REFRESH: _LASTING,
        Operation.MODIFY: _LASTING,
        # Whatever the answer, this agent is done with it; what is left expires.
        Operation.REMOVE: dict.fromkeys(Answer, Step.GONE),
    }
)

# Where the same request may succeed later: overload, a server that is down or starting, a user not registered yet.
_PASSING: Final = frozenset({408, 480, 500, 502, 503, 504, 600})


def answer_of(outcome: Response | Failure) -> Answer:
    """Sorts a final response, or that there was none."""
    if not isinstance(outcome, Response) or outcome.status in _PASSING:
        return Answer.UNAVAILABLE
    if 200 <= outcome.status < 300:
        return Answer.STORED
    return {412: Answer.UNKNOWN, 423: Answer.TOO_BRIEF}.get(outcome.status, Answer.REFUSED)
