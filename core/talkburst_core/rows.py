"""Registrations, and what application servers were told of them, as rows of the store.

Reading raises RowError, HeaderError or UriError for a row that this version did not write.
"""

from collections.abc import Iterable

from talkburst.sip import Request
from talkburst.sip.flow import Address, Flow
from talkburst.sip.headers import parse_name_addr
from talkburst.sip.journal import Row, RowError, as_row, integer, items, mapping, number, optional_text, text, texts
from talkburst.sip.journal import octets as _octets
from talkburst.sip.journal import octets_text as _octets_text
from talkburst.sip.parser import parse_message
from talkburst_core.bindings import Binding, ContactEvent, Ended, Registration
from talkburst_core.profile import Subscriber

_NO_CONNECTION = -1


def flow_row(flow: Flow, run: str) -> Row:
    """`run` names the process: connections do not outlive it."""
    return {
        "transport": flow.transport,
        "local": list(flow.local),
        "remote": list(flow.remote),
        "listener": flow.listener,
        "connection": flow.connection,
        "run": run,
    }


def flow_from(row: Row, run: str) -> Flow:
    flow = Flow(text(row, "transport"), _address(row, "local"), _address(row, "remote"), listener=text(row, "listener"))
    if not flow.reliable:
        return flow
    return flow._replace(connection=integer(row, "connection") if text(row, "run") == run else _NO_CONNECTION)


def _address(row: Row, name: str) -> Address:
    match items(row, name):
        case [str(host), int(port)]:
            return host, port
        case other:
            raise RowError(f"{name} is {other!r} and no address")


def binding_row(binding: Binding, run: str) -> Row:
    return {
        "id": binding.id,
        "private_id": binding.private_id,
        "contact": str(binding.contact),
        "q": binding.q,
        "call_id": binding.call_id,
        "cseq": binding.cseq,
        "registered_at": binding.registered_at,
        "expires_at": binding.expires_at,
        "path": list(binding.path),
        "flow": flow_row(binding.flow, run),
        "event": binding.event.value,
        **({"translated": True} if binding.translated else {}),
    }


def binding_from(row: Row, run: str) -> Binding:
    return Binding(
        contact_id=text(row, "id"),
        private_id=text(row, "private_id"),
        contact=parse_name_addr(text(row, "contact")),
        q=optional_text(row, "q"),
        call_id=text(row, "call_id"),
        cseq=integer(row, "cseq"),
        registered_at=number(row, "registered_at"),
        expires_at=number(row, "expires_at"),
        path=tuple(texts(row, "path")),
        flow=flow_from(mapping(row, "flow"), run),
        event=_event(row),
        translated=bool(row.get("translated")),
    )


def registration_row(registration: Registration, run: str) -> Row:
    return {
        "bindings": [binding_row(binding, run) for binding in registration.bindings],
        "explicit": sorted(registration.by_name),
        "ended": [
            {
                "number": each.number,
                "binding": binding_row(each.binding, run),
                "event": each.event.value,
                "at": each.at,
            }
            for each in registration.ended
        ],
        "ended_count": registration.ended_count,
    }


def registration_from(row: Row, subscriber: Subscriber, run: str) -> Registration:
    ended = [as_row(each, "ended") for each in items(row, "ended")]
    return Registration(
        subscriber,
        bindings=[binding_from(as_row(each, "bindings"), run) for each in items(row, "bindings")],
        by_name=tuple(texts(row, "explicit")),
        ended=[
            Ended(
                integer(each, "number"), binding_from(mapping(each, "binding"), run), _event(each), number(each, "at")
            )
            for each in ended
        ],
        ended_count=integer(row, "ended_count"),
    )


def _event(row: Row) -> ContactEvent:
    try:
        return ContactEvent(text(row, "event"))
    except ValueError as error:
        raise RowError(str(error)) from None


def request_text(request: Request) -> str:
    return _octets_text(request.to_bytes())


def request_from(row: Row, name: str) -> Request:
    message = parse_message(_octets(row, name))
    if not isinstance(message, Request):
        raise RowError(f"{name} is no request")
    return message


def highest_number(ids: Iterable[str]) -> int:
    """Of contact ids, which are "c" and a number."""
    return max((int(each[1:]) for each in ids if each[1:].isdigit()), default=0)
