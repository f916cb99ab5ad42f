"""What the DNS said, for as long as it said."""

from __future__ import annotations

from talkburst.sip.locating import Answer, Question

MOST_ANSWERS = 4096
LONGEST = 86_400.0  # seconds that anything is kept (RFC 8767 4: a week is the most that makes sense)
LONGEST_NOTHING = 300.0  # seconds that an answer without records is kept (RFC 2308 5 allows three hours)


class AnswerCache:
    """Answers by their question; when there are too many, the one asked for longest ago goes."""

    def __init__(self, most: int = MOST_ANSWERS) -> None:
        self._most = most
        self._answers: dict[Question, tuple[float, Answer]] = {}  # until when, the latest used last

    def __len__(self) -> int:
        return len(self._answers)

    def find(self, question: Question, now: float) -> Answer | None:
        kept = self._answers.pop(question, None)
        if kept is None or kept[0] <= now:
            return None
        self._answers[question] = kept
        return kept[1]

    def keep(self, question: Question, answer: Answer, ttl: float, now: float) -> None:
        """Keep an answer for `ttl` seconds."""
        longest = LONGEST if any(answer) else LONGEST_NOTHING
        self._answers.pop(question, None)
        self._answers[question] = (now + min(max(ttl, 0.0), longest), answer)
        if len(self._answers) > self._most:
            del self._answers[next(iter(self._answers))]
