"""Steps 7 to 10 and 12 to 15: the two subscriptions to the registration event package."""

from talkburst.flow.attempts import last_attempt
from talkburst.flow.capture import Kind
from talkburst.flow.contact_in_reginfo import missing
from talkburst.flow.evidence import Evidence, Found
from talkburst.flow.find_registration import THIRD_PARTY
from talkburst.flow.message import ObservedMessage
from talkburst.flow.registration import is_removal
from talkburst.flow.roles import Role
from talkburst.sip import HeaderError
from talkburst.xml.reginfo import Reginfo


def server_subscribes(evidence: Evidence) -> Found:
    """Step 7: the first SUBSCRIBE of the server for this user after step 5, be it a refresh of an old subscription."""
    candidates = [
        request
        for request in evidence.capture.requests(Kind("server", "core", "SUBSCRIBE", "reg"), evidence.user)
        if request.expires != 0
        and {request.facts.to_aor, request.facts.uri_aor} & evidence.user
        and _flow_told_of_before(request, evidence) is evidence.flow
    ]
    cause = evidence.message(5)
    if cause is None:
        return last_attempt(candidates, evidence)
    after = [request for request in candidates if request.time_at("server") >= cause.time_at("server")]
    return last_attempt(after or candidates[-1:], evidence)


def server_notified(evidence: Evidence) -> Found:
    """Step 9: the first NOTIFY in the dialog of step 7 that lists the contact of step 3 with the tag."""
    return _first_telling_notify(evidence, 7, "server")


def client_subscribes(evidence: Evidence) -> Found:
    """Step 12: the client's first SUBSCRIBE to the registration event package."""
    return last_attempt(initial_subscribes(evidence, "reg"), evidence)


def client_notified(evidence: Evidence) -> Found:
    """Step 14: the first NOTIFY in the dialog of step 12 that lists the contact of step 3 with the tag."""
    return _first_telling_notify(evidence, 12, "client")


def initial_subscribes(evidence: Evidence, event: str) -> list[ObservedMessage]:
    """The SUBSCRIBEs of this flow's client that ask for a new subscription."""
    return [
        request
        for request in evidence.capture.requests(Kind("client", "core", "SUBSCRIBE", event), evidence.marks)
        if not request.facts.to_tag
        and request.expires != 0
        and evidence.flows.owner_of_client_request(request) is evidence.flow
    ]


def notifies(
    evidence: Evidence, subscribe: ObservedMessage, sender: Role, receiver: Role, event: str
) -> list[ObservedMessage]:
    """The NOTIFYs of a subscription's Call-ID. Those before a refresh belong to what the refresh continues."""
    return [
        message
        for message in evidence.capture.messages(subscribe.call_id)
        if message.status is None
        and (message.method, message.facts.event) == ("NOTIFY", event)
        and (message.sender, message.receiver) == (sender, receiver)
        and (not subscribe.facts.to_tag or message.time_at(sender) >= subscribe.time_at(sender))
    ]


def told_at(notify: ObservedMessage, evidence: Evidence) -> float:
    """When the server had the contact and its addresses, by its clock.

    On a later registration (rule 9) that may be before step 9: the subscription that it has already tells of the change
    by itself, and what is sent after the server's refresh says it again.
    """
    earlier = [
        message.time_at("server")
        for message in evidence.capture.messages(notify.call_id)
        if message.status is None
        and (message.method, message.sender, message.receiver) == ("NOTIFY", "core", "server")
        and state_of(message) != "terminated"
        and not _lack(message, evidence)
    ]
    return min([*earlier, notify.time_at("server")])


def _flow_told_of_before(request: ObservedMessage, evidence: Evidence) -> object:
    """The flow of the last third-party REGISTER for this user before `request`; without any, the user's newest."""
    told = [
        register
        for register in evidence.capture.requests(THIRD_PARTY, evidence.user)
        if register.facts.to_aor in evidence.user
        and not is_removal(register)
        and register.time_at("server") <= request.time_at("server")
    ]
    time = told[-1].time if told else request.time
    return evidence.flows.owner_of_user_event(evidence.user, time)


def _first_telling_notify(evidence: Evidence, subscribe_step: int, subscriber: Role) -> Found:
    subscribe = evidence.message(subscribe_step)
    if subscribe is not None:
        candidates = notifies(evidence, subscribe, "core", subscriber, "reg")
    else:
        candidates = _notifies_without_subscribe(evidence, subscriber)
    # What is sent when the subscription ends does not stand in for what had to come when it began.
    lasting = [notify for notify in candidates if state_of(notify) != "terminated"]
    lacks = [(notify, _lack(notify, evidence)) for notify in lasting]
    telling = [notify for notify, lack in lacks if not lack]
    in_dialog = [notify for notify in telling if subscribe is None or in_dialog_of(notify, subscribe)]
    if telling:
        return Found(next(iter(in_dialog), telling[0]))
    reasons = [f"the document of the NOTIFY at {evidence.at(notify.time)} {lack}" for notify, lack in lacks]
    if candidates and not lasting:
        end = evidence.at(candidates[0].time)
        reasons = [f"the NOTIFY at {end} ends the subscription: Subscription-State is terminated"]
    return Found(why="; ".join([*reasons[:1], *reasons[1:][-1:]]))


def _lack(notify: ObservedMessage, evidence: Evidence) -> str:
    document = notify.reginfo()
    return missing(document, evidence.flow) if isinstance(document, Reginfo) else f"cannot be read: {document}"


def _notifies_without_subscribe(evidence: Evidence, subscriber: Role) -> list[ObservedMessage]:
    """NOTIFYs about this user whose SUBSCRIBE is not in the capture."""
    return [
        notify
        for notify in evidence.capture.requests(Kind("core", subscriber, "NOTIFY", "reg"), evidence.user)
        if notify.facts.from_aor in evidence.user
        and notify.time >= evidence.flow.opened
        and not any(message.method == "SUBSCRIBE" for message in evidence.capture.messages(notify.call_id))
    ]


def state_of(notify: ObservedMessage) -> str:
    """The state of Subscription-State, "" where there is none."""
    try:
        state = notify.sip.subscription_state
    except HeaderError:
        return ""
    return state.state if state is not None else ""


def in_dialog_of(notify: ObservedMessage, subscribe: ObservedMessage) -> bool:
    """Whether the tags of a NOTIFY are those of the subscription's dialog (RFC 6665 4.4.1)."""
    return not dialog_fault(notify, subscribe)


def dialog_fault(notify: ObservedMessage, subscribe: ObservedMessage) -> str:
    """What is wrong with the tags of a NOTIFY, "" when they are those of the subscription's dialog."""
    ours, theirs = subscribe.facts.from_tag, subscribe.facts.to_tag
    answer = subscribe.transaction.final
    if answer is not None and 200 <= (answer.status or 0) < 300:
        theirs = answer.facts.to_tag
    if notify.facts.to_tag != ours:
        return f"its To tag is {notify.facts.to_tag or 'missing'}, the subscriber's tag is {ours}"
    if theirs and notify.facts.from_tag != theirs:
        return f"its From tag is {notify.facts.from_tag or 'missing'}, the notifier's tag is {theirs}"
    return ""
