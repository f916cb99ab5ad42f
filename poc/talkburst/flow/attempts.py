"""Which of several tries of one step is judged: the last one, where an answer or the transport made another."""

from collections.abc import Sequence

from talkburst.flow.evidence import RETRIED, Evidence, Found
from talkburst.flow.message import ObservedMessage


def last_attempt(candidates: Sequence[ObservedMessage], evidence: Evidence) -> Found:
    """The first of these requests, or the one that a retry made of it; the earlier tries are notes."""
    if not candidates:
        return Found()
    chosen, notes = candidates[0], []
    for candidate in candidates[1:]:
        reason = _reason_to_retry(chosen, candidate, evidence)
        if not reason:
            break
        notes.append(f"an attempt at {evidence.at(chosen.time)} {reason}")
        chosen = candidate
    return Found(chosen, notes=notes)


def _reason_to_retry(before: ObservedMessage, after: ObservedMessage, evidence: Evidence) -> str:
    if not evidence.arrived(before):
        return f"was never received by {before.receiver}"
    final = before.transaction.final
    if final is not None and final.status in RETRIED:
        return f"was answered {final.title}"
    same = (before.call_id, before.facts.cseq) == (after.call_id, after.facts.cseq)
    if same and before.transport != after.transport:
        return f"went over {before.transport}, this one over {after.transport}"
    if same and before.facts.transaction.branch != after.facts.transaction.branch:
        return "went with another branch"
    return ""
