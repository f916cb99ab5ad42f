"""The publications of a user that are alive at a time, as the accepted PUBLISHes tell."""

from collections.abc import Iterator, Set
from dataclasses import dataclass

from talkburst.flow.capture import Capture, Kind
from talkburst.flow.message import ObservedMessage
from talkburst.flow.registration import identities
from talkburst.sip import HeaderError
from talkburst.xml.poc_settings import Entity, PocSettings

# RFC 4354 5.4 gives 3600 s to a subscription; a publication without Expires in its answer gets as much.
_DEFAULT_EXPIRES = 3600


@dataclass(slots=True)
class Publication:
    """One publication: since when the server has it, and until when it keeps it (seconds since the epoch)."""

    entities: list[Entity]
    request: ObservedMessage
    accepted: float
    ends: float


def publications_before(capture: Capture, user: Set[str], time: float) -> list[Publication]:
    """The publications of a user that were accepted before `time` and not taken back by then, expired ones too."""
    live: dict[str, Publication] = {}
    for request, answer in _accepted(capture, user, time):
        before = live.pop(request.sip.get("SIP-If-Match") or "", None)
        settings = request.poc_settings()
        entities = settings.entities if request.body and isinstance(settings, PocSettings) else []
        if not request.body and before is not None:
            entities = before.entities
        if request.expires == 0:
            continue
        accepted = before.accepted if before is not None and not request.body else answer.time_at("server")
        etag = answer.sip.get("SIP-ETag") or f"without etag {len(live)}"
        live[etag] = Publication(entities, request, accepted, answer.time + _granted(answer))
    return list(live.values())


def ever_published(capture: Capture, user: Set[str], time: float) -> set[str]:
    """The ids of all entities that were published before `time`."""
    documents = [request.poc_settings() for request, _ in _accepted(capture, user, time)]
    return {entity.id for found in documents if isinstance(found, PocSettings) for entity in found.entities}


def _accepted(capture: Capture, user: Set[str], time: float) -> Iterator[tuple[ObservedMessage, ObservedMessage]]:
    """The PUBLISHes of a user that were answered 2xx before `time`, each with its answer."""
    for request in _publishes(capture, user):
        answer = request.transaction.final
        if answer is None or not 200 <= (answer.status or 0) < 300 or answer.time_at("server") > time:
            continue
        if _users(request) & user:
            yield request, answer


def _publishes(capture: Capture, user: Set[str]) -> list[ObservedMessage]:
    """The PUBLISHes as the server got them; as the clients sent them where that hop is not captured."""
    passed_on = capture.requests(Kind("core", "server", "PUBLISH", "poc-settings"), user)
    return passed_on or capture.requests(Kind("client", "core", "PUBLISH", "poc-settings"), user)


def _users(request: ObservedMessage) -> set[str]:
    return {request.facts.uri_aor, request.facts.from_aor, *identities(request, "P-Asserted-Identity")}


def _granted(answer: ObservedMessage) -> int:
    try:
        expires = answer.sip.expires
    except HeaderError:
        expires = None
    return _DEFAULT_EXPIRES if expires is None else expires
