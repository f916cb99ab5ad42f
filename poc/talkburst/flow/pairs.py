"""Two steps that are one message on two hops: what a proxy must leave alone, and where its own Via goes."""

from collections.abc import Callable

from talkburst.flow.evidence import Evidence, Found
from talkburst.flow.message import ObservedMessage
from talkburst.flow.rows import Row


def same_request_as(step: int) -> Row:
    """The request is that of `step`, passed on: Call-ID, CSeq, tags, body, and the upstream Vias under a new one."""

    def vias(original: ObservedMessage, message: ObservedMessage) -> str | None:
        upstream, here = original.facts.vias, message.facts.vias
        if len(here) > len(upstream) and here[len(here) - len(upstream) :] == upstream:
            return None
        return f"the Via of step {step} ({_texts(original)}) is not under a new one (Via: {_texts(message)})"

    return _same_as(step, vias)


def same_response_as(step: int) -> Row:
    """The response is that of `step`, passed back: Call-ID, CSeq, tags, body, and Via without the proxy's own."""

    def vias(original: ObservedMessage, message: ObservedMessage) -> str | None:
        upstream, here = original.facts.vias, message.facts.vias
        if len(here) < len(upstream) and upstream[len(upstream) - len(here) :] == here:
            return None
        return f"Via is not that of step {step} without the proxy's own: {_texts(message)} after {_texts(original)}"

    return _same_as(step, vias)


def _same_as(step: int, vias: Callable[[ObservedMessage, ObservedMessage], str | None]) -> Row:
    """`vias` says what is wrong with the Vias of a message that was passed on or back, if anything is."""

    def check(evidence: Evidence, message: ObservedMessage, found: Found) -> None:
        original = evidence.message(step)
        if original is None:
            return
        if _is_bridged(original, message, found):
            _compare(original, message, step, ("body",), found)
            return
        _compare(original, message, step, ("CSeq", "From tag", "To tag", "body"), found)
        fault = vias(original, message)
        if fault is not None:
            found.faults.append(fault)

    return check


def _is_bridged(original: ObservedMessage, message: ObservedMessage, found: Found) -> bool:
    if original.call_id == message.call_id:
        return False
    kept = "Event, Request-URI and body" if message.method != "NOTIFY" else "Event and body"
    if message.status is None:
        found.notes.append(f"passed on by a back-to-back agent: another Call-ID, {kept} agree")
    else:
        found.notes.append("passed back by a back-to-back agent: another Call-ID")
    return True


def _compare(
    original: ObservedMessage, message: ObservedMessage, step: int, names: tuple[str, ...], found: Found
) -> None:
    for name in names:
        before, after = _value(original, name), _value(message, name)
        if before != after:
            texts = (str(before), str(after)) if name != "body" else (_size(original), _size(message))
            found.faults.append(f"{name} differs from step {step}: {texts[1] or 'none'}, there {texts[0] or 'none'}")


def _value(message: ObservedMessage, name: str) -> str | bytes:
    facts = message.facts
    match name:
        case "CSeq":
            return f"{facts.cseq} {facts.method}"
        case "From tag":
            return facts.from_tag
        case "To tag":
            return facts.to_tag
    return message.body


def _size(message: ObservedMessage) -> str:
    return f"{len(message.body)} bytes"


def _texts(message: ObservedMessage) -> str:
    return ", ".join(map(str, message.facts.vias)) or "none"
