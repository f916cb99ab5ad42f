"""Many users behind one address, as behind a proxy: who sent a request is found without looking at all of them."""

import sys
from types import FrameType

import pytest

from talkburst.sip import NameAddr, Request, parse_uri
from talkburst.sip.digest import DigestVerifier
from talkburst.sip.flow import Flow
from talkburst_core.authentication import Authentication
from talkburst_core.bindings import Binding, Registration
from talkburst_core.identity import Asserted, Claims, Identification, RegisteredFlows
from talkburst_core.profile import Identity, Profile, Subscriber, Subscribers

FLOW = Flow("UDP", ("127.0.0.1", 5060), ("192.0.2.1", 5060), listener="clients")


def crowd(count: int) -> Identification:
    """An identification that knows `count` users, who all registered over one flow."""
    uris = [f"sip:u{number}@ims.example" for number in range(count)]
    subscribers = Subscribers(Subscriber([uri[4:]], [Profile([Identity(uri, uri)], [])]) for uri in uris)
    flows = RegisteredFlows()
    for subscriber in subscribers:
        contact = NameAddr("", parse_uri("sip:192.0.2.1"), {})
        binding = Binding("c1", subscriber.private_ids[0], contact, None, "call", 1, 0.0, 3600.0, (), FLOW)
        flows.update(Registration(subscriber, [binding]))
    decide = lambda what, facts: None  # noqa: E731
    authentication = Authentication(subscribers, {}, DigestVerifier(b"key", 300.0), decide)
    claims = Claims(subscribers, "ims.example", frozenset({"ims.example"}))
    return Identification(claims, authentication, flows, decide)


def subscribe(sender: str) -> Request:
    own = f"<sip:{sender}@ims.example>"
    headers = [("From", f"{own};tag=1"), ("To", own), ("Call-ID", "c"), ("CSeq", "1 SUBSCRIBE")]
    return Request("SUBSCRIBE", f"sip:{sender}@ims.example", headers)


def calls(identification: Identification, request: Request) -> int:
    """How many calls of Python code and of built-in functions it takes to find the sender, whose URI came before."""
    identification.identify(request.copy(), FLOW, 1.0)
    count = 0

    def profile(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(profile)
    try:
        identification.identify(request, FLOW, 1.0)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("sender", ["u0", "u1", "u299"])
def test_the_user_whom_the_request_names_is_asserted(sender: str) -> None:
    asserted = crowd(300).identify(subscribe(sender), FLOW, 1.0)
    assert isinstance(asserted, Asserted)
    assert asserted.identity.uri == f"sip:{sender}@ims.example"


def test_who_names_nobody_of_the_flow_is_challenged() -> None:
    assert not isinstance(crowd(3).identify(subscribe("stranger"), FLOW, 1.0), Asserted)


def test_the_last_of_a_thousand_users_is_found_as_quickly_as_the_last_of_two() -> None:
    assert calls(crowd(1000), subscribe("u999")) == calls(crowd(2), subscribe("u1"))
