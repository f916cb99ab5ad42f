"""Rows of the steps about PoC settings: current documents, what is published, what the answer carries."""

from talkburst.flow.evidence import Evidence, Found
from talkburst.flow.find_settings import client_publishes, entities_of, published, settings_text, shows
from talkburst.flow.message import ObservedMessage
from talkburst.flow.publications import Publication, ever_published, publications_before
from talkburst.xml.document import XmlError
from talkburst.xml.poc_settings import Entity


def shows_current_settings(evidence: Evidence, message: ObservedMessage, found: Found) -> None:
    """Steps 20 and 21: the document holds the publications that are alive, none where nothing was published.

    What was accepted or ran out while the NOTIFY was on its way may be in it or not. Settings of another client that
    nobody published in the capture may be older than it, unless the server is known to have started empty.
    """
    if evidence.message(20) not in (None, message):
        return  # step 21 shows what step 20 showed
    document = message.poc_settings()
    if isinstance(document, XmlError):
        found.faults.append(f"its document cannot be read: {document}" if message.body else "it has no document")
        return
    subscribe = evidence.message(17) or evidence.message(16)
    asked = subscribe.time_at("server") if subscribe is not None else message.time
    before = publications_before(evidence.capture, evidence.user, asked)
    now = publications_before(evidence.capture, evidence.user, message.time_at("server"))
    shown = entities_of(message)
    for publication in before:
        if publication in now and _has_to_show(publication, message.time, evidence):
            missing = [entity for entity in publication.entities if not _is_shown(entity, shown)]
            found.faults += [
                f"the publication that is alive is not in its document ({settings_text([entity])})"
                for entity in missing
            ]
    allowed = [entity for publication in [*before, *now] if publication.ends > asked for entity in publication.entities]
    ended = ever_published(evidence.capture, evidence.user, asked)
    for entity in shown:
        fault, note = _judge(entity, allowed, ended, evidence)
        found.faults += [fault] if fault else []
        found.notes += [note] if note else []


def carries_settings(evidence: Evidence, message: ObservedMessage, found: Found) -> None:
    """Step 24: the client's incoming session barring and answer mode."""
    document = message.poc_settings()
    if isinstance(document, XmlError):
        found.faults.append(f"its document cannot be read: {document}")
        return
    if not document.entities:
        found.faults.append("its document has no entity")
    for entity in document.entities:
        if entity.barring is None:
            found.faults.append(f"entity {entity.id} has no incoming-session-barring")
        if entity.answer_mode is None:
            found.faults.append(f"entity {entity.id} has no answer-mode")


def shows_published_settings(evidence: Evidence, message: ObservedMessage, found: Found) -> None:
    """Steps 29 and 30: the document, as it was received, holds what was published."""
    wanted = entities_of(published(evidence))
    document = message.poc_settings()
    if isinstance(document, XmlError):
        found.faults.append(f"its document cannot be read: {document}; published was {settings_text(wanted)}")
    elif not shows(entities_of(message), wanted):
        seen = settings_text(entities_of(message))
        found.faults.append(f"its document shows {seen}; published was {settings_text(wanted)}")


def grants_publication(evidence: Evidence, message: ObservedMessage, found: Found) -> None:
    """Steps 26 and 27: SIP-ETag and Expires."""
    if message.status != 200:
        return
    found.faults += [f"the 200 has no {name}" for name in ("SIP-ETag", "Expires") if not message.sip.get(name)]


def shows_another_clients(message: ObservedMessage | None, evidence: Evidence) -> bool:
    """Whether a document holds settings that are not this client's own."""
    instance = evidence.flow.instance
    return any(not instance or entity.id != instance for entity in entities_of(message))


def _has_to_show(publication: Publication, until: float, evidence: Evidence) -> bool:
    if publication.ends <= until:
        return False
    # It goes with its client's registration, which the server learns of in its own time.
    owner = evidence.flows.owner_of_client_request(publication.request)
    return owner is None or owner.closed is None or owner.closed > until


def _is_shown(entity: Entity, shown: list[Entity]) -> bool:
    if entity.barring is None and entity.answer_mode is None:
        return True
    return any(entity.id == other.id or _same_values(entity, other) for other in shown)


def _same_values(one: Entity, other: Entity) -> bool:
    return (one.barring, one.answer_mode) == (other.barring, other.answer_mode)


def _judge(entity: Entity, allowed: list[Entity], ended: set[str], evidence: Evidence) -> tuple[str, str]:
    """What an entity that is shown breaks, and what is to be noted of it."""
    text = settings_text([entity])
    same_id = [other for other in allowed if other.id == entity.id]
    if any(_same_values(entity, other) for other in same_id or allowed):
        return "", ""
    if same_id:
        return f"its document shows {text}; published was {settings_text(same_id[-1:])}", ""
    if entity.id in ended:
        return f"its document shows {text}, a publication that is no longer alive", ""
    if evidence.hints.nothing_published or entity.id in _own_ids(evidence):
        return f"its document shows {text}, although nothing was published", ""
    return "", f"{entity.id} was not published in this capture: another client's, from before it"


def _own_ids(evidence: Evidence) -> set[str]:
    """The entity ids of this flow's client, unless its PUBLISH says that it had published before the capture began."""
    publish = client_publishes(evidence).message
    if publish is None:
        return {evidence.flow.instance} - {""}
    if publish.sip.get("SIP-If-Match"):
        return set()
    return {evidence.flow.instance, *(entity.id for entity in entities_of(publish))} - {""}
