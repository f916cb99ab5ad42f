"""Steps 1 to 6: the registration of the client, and what the core tells the server of it."""

from typing import Final

from talkburst.flow.attempts import last_attempt
from talkburst.flow.capture import Kind
from talkburst.flow.evidence import Evidence, Found
from talkburst.flow.message import ObservedMessage
from talkburst.flow.registration import credentials, is_removal, nonces

THIRD_PARTY: Final = Kind("core", "server", "REGISTER")


def first_register(evidence: Evidence) -> Found:
    """Step 1: the REGISTER whose 401 has the nonce that step 3 uses."""
    challenge = _challenge(evidence)
    if challenge is not None:
        if challenge.transaction.request is None:
            return Found(why="the REGISTER that step 2 answers is not in the capture")
        return Found(challenge.transaction.request, notes=_earlier(challenge.transaction.request, evidence))
    answering = _answering(evidence)
    plain = [register for register in _tries(evidence) if register is not answering and not credentials(register)]
    if plain:
        return Found(plain[-1])
    if answering is not None:
        return Found(why="the client's first REGISTER in the capture carries credentials already")
    return Found()


def challenge(evidence: Evidence) -> Found:
    """Step 2: the 401 whose nonce step 3 uses, else the last; any other final answer to step 1 in its place."""
    found = _challenge(evidence)
    if found is not None:
        return Found(found)
    first = evidence.message(1)
    final = first.transaction.final if first is not None else None
    if final is None:
        return Found()
    if 200 <= (final.status or 0) < 300:
        evidence.unchallenged = True
        return Found(why=f"the core answered step 1 with {final.title}: it never challenges")
    return Found(final)


def authorised_register(evidence: Evidence) -> Found:
    """Step 3: the last REGISTER with credentials, up to the one that was accepted."""
    if evidence.unchallenged:
        return Found(why="the core accepted step 1 without a challenge")
    answering = _answering(evidence)
    if answering is None:
        return Found()
    tries = [register for register in _tries(evidence) if credentials(register) and register is not answering]
    notes = [f"an attempt at {evidence.at(register.time)} was answered {_answer(register)}" for register in tries]
    first = evidence.message(1)
    if first is not None and first.call_id != answering.call_id:
        notes.append("the Call-ID is not that of step 1 (RFC 3261 10.2 recommends to keep it)")
    return Found(answering, notes=notes)


def registered(evidence: Evidence) -> Found:
    """Step 4: the final answer to step 3."""
    register = evidence.registered if evidence.unchallenged else evidence.message(3)
    if register is not None:
        return Found(register.transaction.final)
    for call_id in evidence.flow.call_ids:
        for message in evidence.capture.messages(call_id):
            accepts = message.status is not None and 200 <= message.status < 300
            if accepts and message.method == "REGISTER" and message.transaction.request is None:
                return Found(message)
    return Found()


def third_party_register(evidence: Evidence) -> Found:
    """Step 5: the first REGISTER for this user from the core to the server that is no de-registration."""
    owner = evidence.flows.owner_of_user_event
    registers = [
        register
        for register in evidence.capture.requests(THIRD_PARTY, evidence.user)
        if register.facts.to_aor in evidence.user
        and not is_removal(register)
        and owner([register.facts.to_aor], register.time) is evidence.flow
    ]
    return last_attempt(registers, evidence)


def _tries(evidence: Evidence) -> list[ObservedMessage]:
    """The REGISTERs up to the first that was accepted; what follows are refreshes."""
    tries: list[ObservedMessage] = []
    for register in evidence.flow.registers:
        if is_removal(register):
            continue
        tries.append(register)
        final = register.transaction.final
        if final is not None and (final.status or 0) < 300:
            break
    return tries


def _answering(evidence: Evidence) -> ObservedMessage | None:
    return next((register for register in reversed(_tries(evidence)) if credentials(register)), None)


def _challenge(evidence: Evidence) -> ObservedMessage | None:
    """The 401 with the nonce of step 3; without such a one the last before step 3."""
    answering = _answering(evidence)
    challenges = [
        message
        for call_id in evidence.flow.call_ids
        for message in evidence.capture.messages(call_id)
        if message.status == 401 and message.method == "REGISTER" and message.sender == "core"
    ]
    if answering is None:
        tries = _tries(evidence)
        return next((found for found in reversed(challenges) if found.transaction.request in tries), None)
    nonce = _nonce(answering)
    matching = [message for message in challenges if nonce in nonces(message)]
    earlier = [message for message in challenges if message.transaction.request is not answering]
    return next(iter(matching or earlier[-1:]), None)


def _nonce(register: ObservedMessage) -> str:
    answer = credentials(register)
    return answer.params.get("nonce", "") if answer is not None else ""


def _answer(register: ObservedMessage) -> str:
    final = register.transaction.final
    return final.title if final is not None else "not at all"


def _earlier(first: ObservedMessage, evidence: Evidence) -> list[str]:
    """Tries before step 1: a 423, a 503, credentials with a nonce that was no longer good."""
    tries = [register for register in _tries(evidence) if register.time < first.time]
    return [f"an attempt at {evidence.at(register.time)} was answered {_answer(register)}" for register in tries]
