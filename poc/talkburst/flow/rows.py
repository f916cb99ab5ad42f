"""What must hold of each step's message: rows that name what was expected and what was seen.

A row looks at what was found for its step and adds faults, which break it, and notes, which do not.
"""

from collections.abc import Callable

from talkburst.flow.evidence import RETRIED, Evidence, Found
from talkburst.flow.find_subscription import dialog_fault
from talkburst.flow.message import ObservedMessage
from talkburst.flow.registration import (
    auth_headers,
    contact_of,
    credentials,
    host_and_port,
    identities,
    name_addrs,
    same_place,
    tag_fault,
)
from talkburst.sip import AuthHeader, HeaderError
from talkburst.sip.digest import ALGORITHMS, password_hash, response_hash

Row = Callable[[Evidence, ObservedMessage, Found], None]


def answered(evidence: Evidence, message: ObservedMessage, found: Found, expected: int = 200) -> None:
    """The final response has the status of its row. RFC 3265 peers answer 202 to SUBSCRIBE and NOTIFY."""
    if message.status != expected:
        if message.status == 202 and message.method in ("SUBSCRIBE", "NOTIFY"):
            found.notes.append("202 Accepted is of RFC 3265; RFC 6665 asks for 200")
        else:
            found.faults.append(f"{message.title} came in place of {expected}")
            found.is_final = message.status not in RETRIED
    request = message.transaction.request
    if request is None:
        return
    if message.facts.from_tag != request.facts.from_tag:
        found.faults.append(
            f"From tag is {_tag(message.facts.from_tag)}, the request had {_tag(request.facts.from_tag)}"
        )
    if request.facts.to_tag and message.facts.to_tag != request.facts.to_tag:
        found.faults.append(f"To tag is {_tag(message.facts.to_tag)}, the request had {_tag(request.facts.to_tag)}")
    if not message.facts.to_tag:
        found.faults.append("To has no tag")


def has_feature_tag(evidence: Evidence, message: ObservedMessage, found: Found) -> None:
    """Steps 1 and 3: Contact carries the feature tag."""
    fault = tag_fault(message.contacts)
    if fault:
        found.faults.append(f"{fault.replace('Contact', 'Contact of the REGISTER', 1)}")


def challenges(evidence: Evidence, message: ObservedMessage, found: Found) -> None:
    """Step 2: 401 with a digest challenge."""
    if message.status != 401:
        found.faults.append(f"{message.title} came in place of 401 Unauthorized")
        found.is_final = message.status not in RETRIED
        return
    digests = auth_headers(message, "WWW-Authenticate")
    if not any(header.params.get("nonce") and header.params.get("realm") for header in digests):
        seen = message.sip.get("WWW-Authenticate") or "no WWW-Authenticate"
        found.faults.append(f"there is no digest challenge with realm and nonce (it has {seen[:80]})")


def answers_challenge(evidence: Evidence, message: ObservedMessage, found: Found) -> None:
    """Step 3: Authorization has realm and nonce of step 2; the response is right where the password is known."""
    answer, challenge = credentials(message), evidence.message(2)
    if answer is None or challenge is None:
        return
    offered = auth_headers(challenge, "WWW-Authenticate")
    for name in ("nonce", "realm"):
        values = [header.params.get(name, "") for header in offered]
        if answer.params.get(name) not in values:
            found.faults.append(
                f"{name} of Authorization is {answer.params.get(name, 'missing')!r}, "
                f"the challenge of step 2 has {' or '.join(map(repr, values)) or 'none'}"
            )
    password = evidence.hints.passwords.get(answer.params.get("username", ""))
    if password is None or found.faults:
        return
    expected = _expected_response(answer, password, message.body)
    if expected is not None and expected != answer.params.get("response", "").lower():
        found.faults.append("the digest response is wrong for this user's password")


def lists_binding(evidence: Evidence, message: ObservedMessage, found: Found) -> None:
    """Step 4: the contact of step 3 with its expiry; P-Associated-URI and Service-Route."""
    register = evidence.registered
    own = contact_of(register) if register is not None else None
    listed = [contact for contact in message.contacts if own is None or same_place(contact, own)]
    if message.status != 200:
        return
    if not listed:
        seen = ", ".join(str(contact.uri) for contact in message.contacts) or "no contact"
        found.faults.append(f"the 200 does not list the binding {own.uri if own else ''} (it lists {seen})")
    elif all("expires" not in contact.params for contact in listed) and message.expires is None:
        found.faults.append("the binding is listed without its expiry")
    for name in ("P-Associated-URI", "Service-Route"):
        if not name_addrs(message, name):
            found.faults.append(f"the 200 has no {name}")


def is_third_party(evidence: Evidence, message: ObservedMessage, found: Found) -> None:
    """Step 5: To is an identity of the user that is not barred, From and Contact are the core's."""
    facts, flow = message.facts, evidence.flow
    if evidence.associated and facts.to_aor not in evidence.associated:
        found.faults.append(
            f"To is {facts.to_aor}, which is barred: P-Associated-URI of step 4 lists {', '.join(evidence.associated)}"
        )
    if facts.from_aor in evidence.user:
        found.faults.append(f"From is {facts.from_aor}, an identity of the user; it has to be the core's")
    contact = contact_of(message)
    if contact is None:
        found.faults.append("there is no Contact; it has to be the core's")
    elif same_place(contact, flow.contact):
        found.faults.append(f"Contact is {contact.uri}, that of the client; it has to be the core's")
    else:
        place = host_and_port(contact)
        role = evidence.capture.discovery.role(place) if place is not None else None
        if role in ("client", "server"):
            found.faults.append(f"Contact is {contact.uri}, an address of the {role}; it has to be the core's")


def asks_for_the_user(evidence: Evidence, message: ObservedMessage, found: Found) -> None:
    """Step 7: Request-URI is the user, who asks is the server itself. A refresh goes to the dialog's target."""
    facts = message.facts
    target = facts.to_aor if facts.to_tag else facts.uri_aor
    if target not in evidence.user:
        found.faults.append(f"Request-URI is {facts.uri_aor}, not an identity of the user")
    if facts.to_tag:
        found.notes.append("a refresh of the server's existing subscription")
    asserted = identities(message, "P-Asserted-Identity") or [facts.from_aor]
    if set(asserted) & evidence.user:
        found.faults.append(f"the server asks as {asserted[0]}, an identity of the user; it has to use its own")


def asks_for_itself(evidence: Evidence, message: ObservedMessage, found: Found) -> None:
    """Step 12: Request-URI, From and To are the client's own public identity, or what stands in for a barred one."""
    facts, own = message.facts, evidence.flow.registered_identity
    for name, value in (("Request-URI", facts.uri_aor), ("From", facts.from_aor), ("To", facts.to_aor)):
        if evidence.is_barred:
            if value != evidence.associated[0]:
                found.faults.append(
                    f"{name} is {value}; the registered identity is barred, so it has to be the first of "
                    f"P-Associated-URI, {evidence.associated[0]}"
                )
        elif value != own and value in evidence.flow.identities:
            found.notes.append(f"{name} is {value}, another identity of the user than the registered {own}")
        elif value != own:
            found.faults.append(f"{name} is {value}, not the client's own public identity {own}")


def asks_for_settings(evidence: Evidence, message: ObservedMessage, found: Found) -> None:
    """Steps 16 and 24: Request-URI is the user's PoC Address."""
    addresses = evidence.addresses(14) or evidence.addresses(9) or sorted(evidence.flow.identities)
    if message.facts.uri_aor not in addresses:
        found.faults.append(
            f"Request-URI is {message.facts.uri_aor}, not a PoC Address of the user ({', '.join(addresses)})"
        )


def stays_on_the_path(evidence: Evidence, message: ObservedMessage, found: Found) -> None:
    """Step 17: the core is in Record-Route, else later requests of the dialog pass it by."""
    original = evidence.message(16)
    if original is not None and original.call_id != message.call_id:
        return  # a back-to-back agent is on the path by its Contact
    if not message.sip.get("Record-Route"):
        found.faults.append("the core put no Record-Route, so it does not stay on the path")


def in_dialog_of(step: int, media_type: str) -> Row:
    """A NOTIFY is in the dialog of the SUBSCRIBE of `step`, active, and its body of the right type."""

    def check(evidence: Evidence, message: ObservedMessage, found: Found) -> None:
        subscribe = evidence.message(step)
        fault = dialog_fault(message, subscribe) if subscribe is not None else ""
        if fault:
            found.faults.append(f"not in the dialog of step {step}: {fault}")
        try:
            content_type = message.sip.content_type
            state = message.sip.subscription_state
        except HeaderError as error:
            found.faults.append(str(error))
            return
        if state is None or state.state != "active":
            found.faults.append(f"Subscription-State is {state.state if state else 'missing'}, not active")
        if content_type is None or content_type.media_type != media_type:
            seen = content_type.media_type if content_type else "missing"
            found.faults.append(f"Content-Type is {seen}, not {media_type}")

    return check


def _tag(tag: str) -> str:
    return tag or "none"


def _expected_response(answer: AuthHeader, password: str, body: bytes) -> str | None:
    """The response that the password makes of these credentials; None for an algorithm that is not known here."""
    given = {name: answer.params.get(name, "") for name in ("username", "realm", "uri", "nonce", "nc", "cnonce", "qop")}
    algorithm = answer.params.get("algorithm", "MD5")
    if algorithm.lower() not in ALGORITHMS:
        return None
    return response_hash(
        algorithm,
        password_hash(algorithm, given["username"], given["realm"], password),
        method="REGISTER",
        uri=given["uri"],
        nonce=given["nonce"],
        nc=given["nc"],
        cnonce=given["cnonce"],
        qop=given["qop"],
        body=body,
    )
