"""Steps 16 to 32: the subscription to the PoC settings, the publication, and what the core passes on."""

from collections.abc import Callable

from talkburst.flow.attempts import last_attempt
from talkburst.flow.capture import Kind
from talkburst.flow.evidence import Evidence, Found
from talkburst.flow.find_subscription import in_dialog_of, initial_subscribes, notifies, state_of
from talkburst.flow.message import ObservedMessage, read_poc_settings
from talkburst.flow.registration import identities
from talkburst.flow.roles import Hop, hop_between
from talkburst.xml.poc_settings import Entity, PocSettings

EVENT = "poc-settings"


def client_subscribes_to_settings(evidence: Evidence) -> Found:
    """Step 16: the client's first SUBSCRIBE to the PoC settings."""
    return last_attempt(initial_subscribes(evidence, EVENT), evidence)


def settings_notified(evidence: Evidence) -> Found:
    """Step 20: the first active NOTIFY in the dialog of step 17, unless it is already that of step 29."""
    candidates = _server_notifies(evidence)
    active = [notify for notify in candidates if state_of(notify) == "active"]
    current = [notify for notify in active if not _is_update(notify, evidence)]
    if current:
        return Found(_in_dialog_first(current, evidence))
    reasons = [
        f"the NOTIFY at {evidence.at(notify.time)} is {state_of(notify) or 'without state'}, not active"
        for notify in candidates[-2:]
        if notify not in active
    ]
    if active:
        reasons.append(
            f"the first active NOTIFY, at {evidence.at(active[0].time)}, shows what was published after step 17"
        )
    return Found(why="; ".join(reasons))


def client_publishes(evidence: Evidence) -> Found:
    """Step 24: the client's first PUBLISH that carries settings."""
    publishes = [
        request
        for request in evidence.capture.requests(Kind("client", "core", "PUBLISH", EVENT), evidence.marks)
        if request.time >= evidence.flow.opened
        and request.expires != 0
        and evidence.flows.owner_of_client_request(request) is evidence.flow
    ]
    with_settings = [request for request in publishes if request.body]
    found = last_attempt(with_settings, evidence)
    if publishes and not with_settings:
        found.why = f"the PUBLISH at {evidence.at(publishes[0].time)} has no body, so it publishes nothing"
    message, notified = found.message, evidence.message(21)
    if message is not None and notified is not None and message.time_at("client") < notified.time_at("client"):
        found.notes.append("came before step 21: the client did not wait to see the current settings")
    return found


def settings_stored(evidence: Evidence) -> Found:
    """Step 28, which no message shows: step 26 carries SIP-ETag, and a NOTIFY after step 25 shows the values."""
    publish, answer = evidence.message(25), evidence.message(26)
    if publish is None:
        return Found()
    if answer is not None and 200 <= (answer.status or 0) < 300 and not answer.sip.get("SIP-ETag"):
        return Found(time=answer.time_at("server"), faults=["the answer of step 26 carries no SIP-ETag"])
    shown = [
        notify for notify in _notifies_after_publish(evidence, both_hops=True) if _shows_published(notify, evidence)
    ]
    if not shown:
        return Found(why="no NOTIFY after step 25 shows the settings that were published" + _what_they_show(evidence))
    if answer is None:
        return Found(why="step 26, which has to carry the SIP-ETag, did not come")
    return Found(time=max(answer.time_at("server"), shown[0].time_at("server")))


def updated_settings_notified(evidence: Evidence) -> Found:
    """Step 29: the first NOTIFY in the dialog of step 17 after step 25 that shows its settings."""
    notified = _notifies_after_publish(evidence, both_hops=False)
    shown = [notify for notify in notified if _shows_published(notify, evidence)]
    if shown:
        return Found(_in_dialog_first(shown, evidence))
    return Found(why=_what_they_show(evidence).removeprefix(": "))


def copy_of(step: int, hop: Hop) -> Callable[[Evidence], Found]:
    """The request of `step` on the next hop: the same Call-ID and CSeq, else what a back-to-back agent made of it."""

    def find(evidence: Evidence) -> Found:
        original = evidence.message(step)
        if original is None:
            return _copy_without_original(step, hop, evidence)
        facts = original.facts
        transaction = evidence.capture.transaction(hop, facts.call_id, facts.cseq, facts.method)
        if transaction is not None and transaction.request is not None:
            return Found(transaction.request)
        return Found(_orphan(original, hop, evidence) or _bridged(original, step, hop, evidence))

    return find


def answer_to(step: int, hop: Hop) -> Callable[[Evidence], Found]:
    """The final response to the request of `step`; where that escaped the capture, to its copy on this hop."""

    def find(evidence: Evidence) -> Found:
        request = evidence.message(step)
        if request is not None:
            return Found(request.transaction.final)
        partner = evidence.message(_OTHER_HOP[step]) if step in _OTHER_HOP else None
        if partner is None:
            return Found()
        facts = partner.facts
        transaction = evidence.capture.transaction(hop, facts.call_id, facts.cseq, facts.method)
        return Found(transaction.final if transaction is not None else None)

    return find


# The steps that are one request on two hops.
_OTHER_HOP = {16: 17, 17: 16, 20: 21, 21: 20, 24: 25, 25: 24, 29: 30, 30: 29}


def published(evidence: Evidence) -> ObservedMessage | None:
    """The PUBLISH as the server got it; as the client sent it where that hop is not captured."""
    return evidence.message(25) or evidence.message(24)


def entities_of(message: ObservedMessage | None) -> list[Entity]:
    """The entities of a document that say anything of barring or answer mode, none where there is no document."""
    settings = message.poc_settings() if message is not None else None
    entities = settings.entities if isinstance(settings, PocSettings) else []
    return [entity for entity in entities if entity.barring is not None or entity.answer_mode is not None]


def settings_text(entities: list[Entity]) -> str:
    """Entities in few words, for a reason."""
    texts = []
    for entity in entities:
        barring = "unsaid" if entity.barring is None else str(entity.barring).lower()
        texts.append(f"{entity.id}: barring {barring}, answer mode {entity.answer_mode or 'unsaid'}")
    return "; ".join(texts) or "no settings"


def shows(shown: list[Entity], published: list[Entity]) -> bool:
    """Whether a document holds the barring and answer mode that were published, under their id or a composed one."""
    for wanted in published:
        same_id = [entity for entity in shown if entity.id == wanted.id]
        if not any(
            (entity.barring, entity.answer_mode) == (wanted.barring, wanted.answer_mode) for entity in same_id or shown
        ):
            return False
    return bool(published)


def _server_notifies(evidence: Evidence) -> list[ObservedMessage]:
    subscribe = evidence.message(17) or evidence.message(16)
    return notifies(evidence, subscribe, "server", "core", EVENT) if subscribe is not None else []


def _is_update(notify: ObservedMessage, evidence: Evidence) -> bool:
    """Whether a NOTIFY shows what was published after the subscription that it belongs to, and so is of step 29."""
    subscribe = evidence.message(17) or evidence.message(16)
    publish = _first_publish(evidence)
    if publish is None or subscribe is None:
        return False
    came = publish.time_at("server")
    between = subscribe.time_at("server") <= came <= notify.time_at("server")
    return between and shows(entities_of(notify), entities_of(publish))


def _first_publish(evidence: Evidence) -> ObservedMessage | None:
    """The PUBLISH of steps 24 and 25, as near to the server as it was seen, before those are looked for."""
    sent = client_publishes(evidence).message
    if sent is None:
        return _copy_without_original(24, "I-S", evidence).message
    copy = evidence.capture.transaction("I-S", sent.facts.call_id, sent.facts.cseq, sent.facts.method)
    return copy.request if copy is not None and copy.request is not None else sent


def _in_dialog_first(candidates: list[ObservedMessage], evidence: Evidence) -> ObservedMessage:
    subscribe = evidence.message(17)
    fitting = [notify for notify in candidates if subscribe is None or in_dialog_of(notify, subscribe)]
    return next(iter(fitting), candidates[0])


def _notifies_after_publish(evidence: Evidence, *, both_hops: bool) -> list[ObservedMessage]:
    publish, subscribe = published(evidence), evidence.message(16)
    if publish is None:
        return []
    found = _server_notifies(evidence)
    if both_hops and subscribe is not None:
        found = found + notifies(evidence, subscribe, "core", "client", EVENT)
    return [notify for notify in found if notify.time_at("server") >= publish.time_at("server")]


def _shows_published(notify: ObservedMessage, evidence: Evidence) -> bool:
    wanted = entities_of(published(evidence))
    if shows(entities_of(notify), wanted):
        return True
    # What the server sent proves what it stored, even where something on the way altered it.
    sent = read_poc_settings(notify.sent_body) if notify.sent_body is not None else None
    return isinstance(sent, PocSettings) and shows(sent.entities, wanted)


def _what_they_show(evidence: Evidence) -> str:
    notified = _notifies_after_publish(evidence, both_hops=False)
    if not notified:
        return ""
    texts = [
        f"the NOTIFY at {evidence.at(notify.time)} shows {settings_text(entities_of(notify))}" for notify in notified
    ]
    return f": {'; '.join(texts[-2:])}; published was {settings_text(entities_of(published(evidence)))}"


def _is_onward(candidate: ObservedMessage, original: ObservedMessage, hop: Hop) -> bool:
    """Whether a message is a request of the original's kind that went on from the core, after it."""
    return (
        candidate.status is None
        and (candidate.sender, candidate.receiver) == ("core", "server" if hop == "I-S" else "client")
        and (candidate.method, candidate.facts.event) == (original.method, original.facts.event)
        and candidate.time >= original.time
    )


def _orphan(original: ObservedMessage, hop: Hop, evidence: Evidence) -> ObservedMessage | None:
    """A request on the hop with the original's Call-ID and a CSeq that nothing on the hop before had."""
    before = hop_between(original.sender, original.receiver)
    for candidate in evidence.capture.messages(original.call_id):
        facts = candidate.facts
        if before is None or not _is_onward(candidate, original, hop):
            continue
        source = evidence.capture.transaction(before, facts.call_id, facts.cseq, facts.method)
        if source is None or source.request is None:
            return candidate
    return None


def _bridged(original: ObservedMessage, step: int, hop: Hop, evidence: Evidence) -> ObservedMessage | None:
    """What a back-to-back agent made of the original: a Call-ID of its own, Event and body kept."""
    capture, dialog = evidence.capture, evidence.message(16 if hop == "C-I" else 17)
    if original.method == "NOTIFY":
        candidates = capture.messages(dialog.call_id) if dialog is not None else []
    else:
        kind = Kind("core", "server", original.method, EVENT)
        candidates = [
            request
            for request in capture.requests(kind, [original.facts.uri_aor])
            if request.facts.uri_aor == original.facts.uri_aor and not _passed_by_proxy(request, evidence)
        ]
    for candidate in candidates:
        if _is_onward(candidate, original, hop) and candidate.body == original.body:
            return candidate
    return None


def _passed_by_proxy(candidate: ObservedMessage, evidence: Evidence) -> bool:
    facts = candidate.facts
    transaction = evidence.capture.transaction("C-I", facts.call_id, facts.cseq, facts.method)
    return transaction is not None and transaction.request is not None


def _copy_without_original(step: int, hop: Hop, evidence: Evidence) -> Found:
    """The copy of a request that escaped the capture, as far as the dialog or the user tells it."""
    if step in (20, 29):
        return _notify_without_original(step, evidence)
    method = "SUBSCRIBE" if step == 16 else "PUBLISH"
    for candidate in evidence.capture.requests(Kind("core", "server", method, EVENT), evidence.user):
        users = {candidate.facts.uri_aor, candidate.facts.from_aor, *identities(candidate, "P-Asserted-Identity")}
        if (
            users & evidence.user
            and candidate.time >= evidence.flow.opened
            and candidate.expires != 0
            and not _passed_by_proxy(candidate, evidence)
            and (step == 24 or not candidate.facts.to_tag)
        ):
            return Found(candidate)
    return Found()


def _notify_without_original(step: int, evidence: Evidence) -> Found:
    """The NOTIFY that the client got, where what the server sent is not in the capture."""
    subscribe, publish = evidence.message(16), published(evidence)
    if subscribe is None:
        return Found()
    for notify in notifies(evidence, subscribe, "core", "client", EVENT):
        facts = notify.facts
        source = evidence.capture.transaction("I-S", facts.call_id, facts.cseq, facts.method)
        if source is not None and source.request is not None:
            continue
        if step == 20 and state_of(notify) == "active" and not _is_update(notify, evidence):
            return Found(notify)
        after = publish is not None and notify.time >= publish.time
        if step == 29 and after and _shows_published(notify, evidence):
            return Found(notify)
    return Found()
