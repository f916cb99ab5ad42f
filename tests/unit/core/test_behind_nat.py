"""Devices behind an address translator, over UDP: the flow leads to them, their Contact does not (RFC 5626 7)."""

import pytest
from caller import ALICE, BOB, Caller

INSIDE = ("192.168.1.7", 5060)
NAT = ("198.51.100.20", 40_123)
VIA = "Via: SIP/2.0/UDP 192.168.1.7{port};branch=z9hG4bK{branch}{rport}"
CONTACT = "<sip:bob@192.168.1.7>"
OUTBOUND = f'{CONTACT};+sip.instance="<urn:uuid:1>";reg-id=1'


def via(branch: str, port: str = "", rport: str = ";rport") -> str:
    return VIA.format(branch=branch, port=port, rport=rport)


def register_bob(bench, contact: str = CONTACT, source=NAT, call_id: str = "reg", **parts: str) -> None:
    (challenge,) = bench.client(registration(contact, call_id, 1, via(call_id + "1", **parts)), source)
    uri = "sip:ims.example"
    credentials = bench.credentials(challenge, "bob@ims.example", "bob", "REGISTER", uri)
    second = registration(contact, call_id, 2, via(call_id + "2", **parts))
    (answer, *_) = bench.client(f"{second.rstrip()}\nAuthorization: {credentials}", source)
    assert answer.line == "SIP/2.0 200 OK"


def registration(contact: str, call_id: str, number: int, headers: str) -> str:
    return f"""
        REGISTER sip:ims.example SIP/2.0
        {headers}
        From: <sip:bob@ims.example>;tag=reg
        To: <sip:bob@ims.example>
        Call-ID: {call_id}
        CSeq: {number} REGISTER
        Contact: {contact}
        Expires: 600
        Supported: path, outbound
    """


WAYS = {
    "a NAT stands between": (CONTACT, {}, NAT),
    "the port is written too": (f"{CONTACT[:-1]}:5060>", {"port": ":5060"}, NAT),
    "a flow that is announced": (OUTBOUND, {"rport": ""}, NAT),
    "no rport: who knows where it hears": (CONTACT, {"rport": ""}, INSIDE),
    "the Contact is of another device": ("<sip:bob@192.168.1.8>", {}, ("192.168.1.8", 5060)),
    "the Contact is another port of it": (f"{CONTACT[:-1]}:5062>", {}, ("192.168.1.7", 5062)),
    "the Contact is a name": ("<sip:bob@poc.ims.example:5075>", {}, ("127.0.0.2", 5075)),
}


@pytest.mark.parametrize(("contact", "parts", "reached"), WAYS.values(), ids=WAYS)
def test_call_goes_to_the_source_of_the_registration_where_only_that_leads_to_the_device(
    registered, contact: str, parts: dict[str, str], reached
) -> None:
    register_bob(registered, contact, **parts)
    (invite,) = Caller(registered).invite()
    assert (invite.to, invite.listener) == (reached, "clients")
    assert invite.message.uri == contact.partition(">")[0][1:], "the Request-URI is the Contact all the same"


@pytest.fixture
def natted(registered):
    """Bob has registered from behind a NAT, alice has not."""
    register_bob(registered)
    return registered


def test_requests_within_a_dialog_go_there_as_well(natted) -> None:
    call = Caller(natted)
    (invite,) = call.invite()
    (answer,) = natted.answer(invite, "200 OK", "Contact: <sip:bob@192.168.1.7>", to_tag="b")
    assert answer.header("Contact") == CONTACT
    for method, number in (("ACK", 1), ("INFO", 2), ("BYE", 3)):
        (sent,) = call.within(method, number, "sip:bob@192.168.1.7")
        assert (sent.line, sent.to) == (f"{method} sip:bob@192.168.1.7 SIP/2.0", NAT)
        natted.answer(sent, "200 OK") if method != "ACK" else None
    (bye,) = call.from_callee("BYE", 1, source=NAT)
    assert bye.to == ALICE


def test_contact_that_somebody_else_registered_leads_nobody_astray(natted) -> None:
    natted.register("alice", "<sip:bob@192.168.1.7>", source=("198.51.100.66", 5060), call_id="thief")
    (sent,) = Caller(natted).within("BYE", 2, "sip:bob@192.168.1.7")
    assert sent.to == NAT


def notifies(sent) -> list:
    return [each for each in sent if each.line == "NOTIFY sip:bob@192.168.1.7 SIP/2.0"]


def subscribe(bench) -> list:
    text = f"""
        SUBSCRIBE sip:bob@ims.example SIP/2.0
        {via("watch")}
        From: <sip:bob@ims.example>;tag=w
        To: <sip:bob@ims.example>
        Call-ID: watch
        CSeq: 1 SUBSCRIBE
        Event: reg
        Contact: {CONTACT}
    """
    return bench.client(text, NAT)


def test_device_is_told_of_its_registration(natted) -> None:
    assert [each.to for each in notifies(subscribe(natted))] == [NAT]


def test_device_is_told_after_a_restart_and_where_its_nat_has_it_now(natted) -> None:
    (notify,) = notifies(subscribe(natted))
    natted.answer(notify, "200 OK")
    after, _ = natted.restarted()
    (notify,) = notifies(after.register("bob", "<sip:bob@127.0.0.1:5092>", source=BOB, call_id="desk"))
    assert notify.to == NAT
    after.answer(notify, "200 OK")
    elsewhere = ("198.51.100.20", 51_000)
    register_bob(after, source=elsewhere, call_id="again")
    assert [each.to for each in notifies(after.advance(6))][:1] == [elsewhere]
