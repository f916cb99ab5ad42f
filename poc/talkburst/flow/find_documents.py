"""Step 11: the GETs with which the server fetches the user's documents."""

from talkburst.flow.evidence import Evidence, Found
from talkburst.flow.find_subscription import told_at
from talkburst.flow.http_exchange import POC_DATA, SHARED_DATA, HttpExchange

# A document that the user never stored is no failure.
_GOOD = frozenset({200, 304, 404})
_WANTED = ((POC_DATA, "poc-rules, poc-groups or the directory"), (SHARED_DATA, "resource-lists"))


def documents_fetched(evidence: Evidence) -> Found:
    """One GET of the PoC XDMS' data and one of the Shared XDMS', for an address of step 9, answered in the end.

    Before step 9 the server cannot know the addresses; GETs that came before count only where none came after, and
    then break the order.
    """
    gets = _gets(evidence)
    cause = evidence.message(9)
    if cause is None:
        return _judge(gets, evidence)
    addresses = set(evidence.addresses(9))
    ours = [get for get in gets if get.user in addresses]
    since = told_at(cause, evidence)
    found = _judge([get for get in ours if get.time >= since], evidence)
    found.cause_time = since
    early = _judge(ours, evidence) if not found.came else found
    if early.came and early is not found:
        early.time = min(get.time for get in ours)
        early.cause_time = since
        return early
    foreign = sorted({get.user for get in gets if get.time >= since} - addresses - {""})
    if not found.came and foreign:
        named = f"which step 9 does not name (it names {', '.join(sorted(addresses))})"
        found.why = f"{found.why}; GETs for {', '.join(foreign)} came, {named}"
    return found


def _gets(evidence: Evidence) -> list[HttpExchange]:
    """The server's GETs while this flow is its user's newest."""
    of_user, flows = evidence.capture.http.of_user, evidence.flows
    nobodys = [user for user in of_user if user and not flows.of_user([user])]
    gets = [
        exchange
        for user in {*evidence.user, *nobodys}
        for exchange in of_user.get(user, ())
        if (exchange.sender, exchange.receiver, exchange.head.method) == ("server", "xdms", "GET")
        and flows.owner_of_user_event([user], exchange.time) in (evidence.flow, None)
    ]
    return sorted(gets, key=lambda get: get.time)


def _judge(gets: list[HttpExchange], evidence: Evidence) -> Found:
    found = Found(line=gets[0].head.start_line if gets else None)
    missing: list[str] = []
    times: list[float] = []
    for usages, name in _WANTED:
        asked = [get for get in gets if get.target is not None and get.target.usage in usages]
        best = next((get for get in asked if get.status in _GOOD), asked[-1] if asked else None)
        if best is None or best.status is None:
            missing.append(_unanswered(best, evidence) if best is not None else f"no GET of {name}")
            continue
        line = best.head.start_line.rsplit(" ", 1)[0]
        times.append(best.answered or best.time)
        if best.status in _GOOD:
            found.notes.append(f"{best.target.usage if best.target else line}: {best.status}")
        else:
            found.faults.append(f"{line} was answered {best.answer_line.partition(' ')[2]}")
    found.is_final = not found.faults
    if missing and not found.faults:
        found.why = "; ".join(missing)
        return found
    found.faults += missing
    found.time = max(times)
    return found


def _unanswered(get: HttpExchange, evidence: Evidence) -> str:
    return f"{get.head.start_line.rsplit(' ', 1)[0]} at {evidence.at(get.time)} was not answered"
