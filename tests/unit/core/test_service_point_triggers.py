"""Every kind of service point trigger (TS 29.228 annexes B, C and F), from the profile to the server that is asked.

A row is what stands in bob's profile, a request, and what the core says of it in its log. How regular expressions and
groups are evaluated in detail is in test_filter_criteria.py.
"""

from pathlib import Path

import pytest

from talkburst.daemon.log import Log
from talkburst.daemon.settings import CoreSettings, Settings
from talkburst.obs.trace import Trace
from talkburst_core.daemon import CoreDaemon, world

POC = ("127.0.0.2", 5070)
OTHER = ("127.0.0.3", 5070)
BOB = "sip:bob@ims.example"
ORIGINATING, TERMINATING, TERMINATING_UNREGISTERED, ORIGINATING_UNREGISTERED = range(4)

HEADS = """
    From: <sip:bob@ims.example>;tag=f
    Call-ID: asked
    P-Asserted-Identity: <sip:bob@ims.example>"""
MESSAGE = f"""
    MESSAGE sip:carol@192.0.2.66 SIP/2.0{HEADS}
    To: <sip:carol@192.0.2.66>
    CSeq: 1 MESSAGE
"""
SUBSCRIBE = f"""
    SUBSCRIBE tel:+19725550100 SIP/2.0{HEADS}
    To: <tel:+19725550100>
    CSeq: 1 SUBSCRIBE
    o: presence;id=1
    m: <sip:bob@127.0.0.1:5092>;+g.poc.talkburst
    Accept-Contact: *;+g.poc.groupad
"""
INVITE = f"""
    INVITE sip:carol@conference.example:5070;transport=tcp SIP/2.0{HEADS}
    To: <sip:carol@conference.example>
    CSeq: 1 INVITE
    Contact: <sip:bob@127.0.0.1:5092>
    c: application/SDP; charset=utf-8

    v=0
    o=- 0 0 IN IP4 127.0.0.1
    s=talk
    m=audio 4000 RTP/AVP 0
    a=sendrecv
"""
TO_BOB = """
    MESSAGE sip:bob@ims.example SIP/2.0
    From: <sip:poc.ims.example>;tag=f
    To: <sip:bob@ims.example>
    Call-ID: asked
    CSeq: 1 MESSAGE
    P-Asserted-Identity: <sip:poc.ims.example>
"""


def spt(condition: str, *groups: int, negated: bool = False, extension: str = "") -> str:
    inside = "".join(f"<Group>{group}</Group>" for group in groups or (0,))
    more = f"<Extension>{extension}</Extension>" if extension else ""
    return f"<SPT><ConditionNegated>{int(negated)}</ConditionNegated>{inside}{condition}{more}</SPT>"


def cnf(*triggers: str) -> str:
    return f"<TriggerPoint><ConditionTypeCNF>1</ConditionTypeCNF>{''.join(triggers)}</TriggerPoint>"


def dnf(*triggers: str) -> str:
    return cnf(*triggers).replace("CNF>1<", "CNF>0<")


def one(condition: str, negated: bool = False) -> str:
    return cnf(spt(condition, negated=negated))


def method(name: str) -> str:
    return f"<Method>{name}</Method>"


def header(name: str, content: str | None = None) -> str:
    return f"<SIPHeader><Header>{name}</Header>{'' if content is None else f'<Content>{content}</Content>'}</SIPHeader>"


def sdp(line: str, content: str | None = None) -> str:
    inside = "" if content is None else f"<Content>{content}</Content>"
    return f"<SessionDescription><Line>{line}</Line>{inside}</SessionDescription>"


def uri(pattern: str) -> str:
    return f"<RequestURI>{pattern}</RequestURI>"


def case(number: int) -> str:
    return f"<SessionCase>{number}</SessionCase>"


def criterion(trigger: str, priority: object = 0, server: str = "sip:other.ims.example", part: str = "") -> str:
    return (
        f"<InitialFilterCriteria><Priority>{priority}</Priority>{trigger}"
        f"<ApplicationServer><ServerName>{server}</ServerName></ApplicationServer>{part}</InitialFilterCriteria>"
    )


def profile(*criteria: str) -> dict[str, str]:
    text = (world() / "profiles" / "bob.xml").read_text("utf-8")
    return {"bob.xml": f"{text[: text.index('<!-- REGISTER')]}{''.join(criteria)}</ServiceProfile></IMSSubscription>"}


def asked(make_bench, criteria: dict[str, str], text: str, session_case: int):
    """The servers that a request is sent to, and what is said of it."""
    bench = make_bench(criteria)
    assert not bench.defects
    if session_case in (ORIGINATING, TERMINATING):
        bench.register("bob", contact="<sip:bob@127.0.0.1:5092>", source=("127.0.0.1", 5092))
    bench.decisions.clear()
    if session_case in (ORIGINATING, ORIGINATING_UNREGISTERED):
        head, gap, body = "\n".join(line.strip() for line in text.strip().splitlines()).partition("\n\n")
        text = f"{head}\nRoute: <sip:orig@127.0.0.1:5054;lr>{gap}{body}"
    sent = bench.server(text, POC)
    said = [what for what, facts in bench.decisions if facts.get("user") == BOB]
    return bench, [each.to for each in sent.to_servers if each.to == OTHER], said


KINDS = [
    # Method
    (one(method("MESSAGE")), 0, MESSAGE, "+ criterion 0: method is MESSAGE"),
    (one(method("INVITE")), 0, MESSAGE, "- criterion 0, group 0: method is MESSAGE, not INVITE"),
    (one(method("MESS")), 0, MESSAGE, "- criterion 0, group 0: method is MESSAGE, not MESS"),
    (one(method("INVITE"), negated=True), 0, MESSAGE, "+ criterion 0: method is MESSAGE, not INVITE"),
    (one(method("MESSAGE"), negated=True), 0, MESSAGE, "- criterion 0, group 0: method is MESSAGE"),
    # Request-URI: host and port of a SIP URI, the number of a tel URI
    (one(uri("^conference.example:5070$")), 0, INVITE, "+ criterion 0: Request-URI has conference"),
    (
        one(uri("carol")),
        0,
        INVITE,
        "- criterion 0, group 0: Request-URI has no carol in 'conference.example:5070'",
    ),
    (one(uri("carol")), 0, MESSAGE, "- criterion 0, group 0: Request-URI has no carol in '192.0.2.66'"),
    (one(uri(r"^\+1972")), 0, SUBSCRIBE, "+ criterion 0: Request-URI has +1972"),
    (one(uri(r"^\+44")), 0, SUBSCRIBE, "- criterion 0, group 0: Request-URI has no +44 in '+19725550100'"),
    (one(uri(r"^\+44"), negated=True), 0, SUBSCRIBE, "+ criterion 0: Request-URI has no +44 in '+19725550100'"),
    # SIP header: the name, also in its compact form, and the content
    (one(header("^Event$")), 0, SUBSCRIBE, "+ criterion 0: Event header is there"),
    (one(header("^event$", r"^presence[[:space:]]*(;|$)")), 0, SUBSCRIBE, "+ criterion 0: event has presence"),
    (one(header("^Event$", "^presence$")), 0, SUBSCRIBE, "- criterion 0, group 0: Event has no presence"),
    (one(header("^Contact$", r"\+g\.poc\.")), 0, SUBSCRIBE, "+ criterion 0: Contact has +g.poc."),
    (one(header("^Contact$", "groupad")), 0, SUBSCRIBE, "- criterion 0, group 0: Contact has no groupad"),
    (one(header("Contact", "groupad")), 0, SUBSCRIBE, "+ criterion 0: Contact has groupad"),
    (one(header("^Subject$")), 0, SUBSCRIBE, "- criterion 0, group 0: no Subject header"),
    (one(header("^Subject$"), negated=True), 0, SUBSCRIBE, "+ criterion 0: no Subject header"),
    # Session case
    (one(case(0)), ORIGINATING, MESSAGE, "+ criterion 0: session case is originating"),
    (one(case(1)), TERMINATING, TO_BOB, "+ criterion 0: session case is terminating registered"),
    (one(case(2)), TERMINATING_UNREGISTERED, TO_BOB, "+ criterion 0: session case is terminating unregistered"),
    (one(case(3)), ORIGINATING_UNREGISTERED, MESSAGE, "+ criterion 0: session case is originating unregistered"),
    (
        one(case(0)),
        ORIGINATING_UNREGISTERED,
        MESSAGE,
        "- criterion 0, group 0: session case is originating unregistered, not originating",
    ),
    (
        one(case(1)),
        TERMINATING_UNREGISTERED,
        TO_BOB,
        "- criterion 0, group 0: session case is terminating unregistered, not terminating registered",
    ),
    (one(case(4)), ORIGINATING, MESSAGE, "- criterion 0, group 0: session case is originating, not originating cdiv"),
    (one(case(4)), TERMINATING, TO_BOB, "- criterion 0, group 0: session case is terminating registered, not originat"),
    # Session description
    (one(sdp("m", "^audio")), 0, INVITE, "+ criterion 0: session description has m=audio"),
    (one(sdp("m", "^video")), 0, INVITE, "- criterion 0, group 0: session description has no m=video"),
    (one(sdp("a")), 0, INVITE, "+ criterion 0: session description has a"),
    (one(sdp("k")), 0, INVITE, "- criterion 0, group 0: session description has no k"),
    (one(sdp("m", "^audio")), 0, MESSAGE, "- criterion 0, group 0: no application/sdp body"),
    (one(sdp("m", "^audio"), negated=True), 0, MESSAGE, "+ criterion 0: no application/sdp body"),
    # Groups
    (
        cnf(spt(method("INVITE"), 0), spt(method("MESSAGE"), 0), spt(case(0), 1)),
        0,
        MESSAGE,
        "+ criterion 0: method is MESSAGE; session case is originating",
    ),
    (
        cnf(spt(method("MESSAGE"), 0), spt(header("^Event$"), 1), spt(case(0), 0)),
        0,
        MESSAGE,
        "- criterion 0, group 1: no Event header",
    ),
    (
        dnf(spt(method("MESSAGE"), 0), spt(header("^Event$"), 1), spt(case(0), 0)),
        0,
        MESSAGE,
        "+ criterion 0, group 0: method is MESSAGE; session case is originating",
    ),
    (
        dnf(spt(method("MESSAGE"), 0), spt(case(1), 0), spt(header("^Event$"), 1)),
        0,
        MESSAGE,
        "- criterion 0, group 0: session case is originating, not terminating registered; group 1: no Event header",
    ),
    (
        cnf(spt(method("MESSAGE"), 0, 1), spt(header("^Event$"), 0), spt(case(3), 1)),
        0,
        MESSAGE,
        "+ criterion 0: method is MESSAGE; method is MESSAGE",
    ),
    (
        dnf(spt(method("MESSAGE"), 0, 1), spt(header("^Event$"), 0), spt(case(0), 1)),
        0,
        MESSAGE,
        "+ criterion 0, group 1: method is MESSAGE; session case is originating",
    ),
    (
        dnf(spt(header("^Event$"), 0, negated=True), spt(method("INVITE"), 0, negated=True)),
        0,
        MESSAGE,
        "+ criterion 0, group 0: no Event header; method is MESSAGE, not INVITE",
    ),
    ("", 0, MESSAGE, "+ criterion 0: unconditional"),
]


@pytest.mark.parametrize(("trigger", "session_case", "text", "expected"), KINDS)
def test_trigger_decides_whether_the_server_is_asked(
    make_bench, trigger: str, session_case: int, text: str, expected: str
) -> None:
    _, servers, said = asked(make_bench, profile(criterion(trigger)), text, session_case)
    matched, why = expected[0] == "+", expected[2:]
    assert servers == ([OTHER] if matched else [])
    name = text.split()[0]
    assert said[0].startswith(
        f"{name} to sip:other.ims.example: {why}" if matched else f"no application server for {name}: {why}"
    )


@pytest.mark.parametrize(
    ("part", "session_case", "expected"),
    [
        ("", TERMINATING, "+"),
        ("", TERMINATING_UNREGISTERED, "+"),
        ("0", TERMINATING, "+"),
        ("0", TERMINATING_UNREGISTERED, "- criterion 0: only for a user who is registered"),
        ("1", TERMINATING, "- criterion 0: only for a user who is unregistered"),
        ("1", TERMINATING_UNREGISTERED, "+"),
        ("0", ORIGINATING, "+"),
        ("1", ORIGINATING_UNREGISTERED, "+"),
    ],
)
def test_profile_part_indicator_picks_the_users_state(make_bench, part: str, session_case: int, expected: str) -> None:
    inside = f"<ProfilePartIndicator>{part}</ProfilePartIndicator>" if part else ""
    text = MESSAGE if session_case in (ORIGINATING, ORIGINATING_UNREGISTERED) else TO_BOB
    _, servers, said = asked(make_bench, profile(criterion("", part=inside)), text, session_case)
    assert servers == ([OTHER] if expected == "+" else [])
    assert said[0].endswith(expected[2:])


def test_lower_number_is_asked_first_and_what_did_not_match_before_it_is_named(make_bench) -> None:
    criteria = profile(
        criterion(one(method("MESSAGE")), 9, "sip:poc.ims.example"),
        criterion(one(method("MESSAGE")), 7),
        criterion(one(method("INVITE")), 1),
    )
    bench, servers, said = asked(make_bench, criteria, MESSAGE, ORIGINATING)
    assert servers == [OTHER]
    assert said == ["MESSAGE to sip:other.ims.example: criterion 7: method is MESSAGE"]
    ((_, facts),) = [each for each in bench.decisions if each[1].get("user") == BOB]
    assert facts["unmatched"] == "criterion 1, group 0: method is MESSAGE, not INVITE"
    (second,) = bench.refuse(OTHER)
    assert second.to == POC
    assert bench.reasons("MESSAGE to sip:poc.ims.example: criterion 9: method is MESSAGE")


# Registration types


KINDS_OF_REGISTER = ("initial registration", "re-registration", "de-registration")


@pytest.mark.parametrize("listed", [(), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2)])
def test_registration_type_picks_the_kind_of_register(make_bench, listed: tuple[int, ...]) -> None:
    extension = "".join(f"<RegistrationType>{number}</RegistrationType>" for number in listed)
    bench = make_bench(profile(criterion(cnf(spt(method("REGISTER"), extension=extension)))))
    for number, kind in enumerate(KINDS_OF_REGISTER):
        bench.decisions.clear()
        expires = 0 if number == 2 else 600
        told = bench.register("bob", "<sip:bob@127.0.0.1:5092>", cseq=10 * number + 1, expires=expires).to_servers
        for each in told:
            bench.answer(each, "200 OK")
        (what,) = bench.reasons("third-party REGISTER")
        wanted = " or ".join(KINDS_OF_REGISTER[each] for each in listed)
        if number in listed or not listed:
            assert [each.header("Expires") for each in told] == [str(expires)]
            fact = kind if listed else "method is REGISTER"
            reasons = (f"criterion 0: {fact}", "the server was told of the registration")
            assert what in [f"third-party REGISTER to sip:other.ims.example: {reason}" for reason in reasons]
        else:
            assert told == []
            assert what == f"no third-party REGISTER: criterion 0, group 0: {kind}, not {wanted}"


@pytest.mark.parametrize("session_case", [1, 2, 3, 4])
def test_register_is_an_originating_request_of_a_registered_user(make_bench, session_case: int) -> None:
    bench = make_bench(profile(criterion(one(case(session_case)))))
    assert bench.register("bob").to_servers == []
    assert bench.reasons("no third-party REGISTER: criterion 0, group 0: session case is originating, not ")
    bench = make_bench(profile(criterion(one(case(0)), part="<ProfilePartIndicator>0</ProfilePartIndicator>")))
    assert len(bench.register("bob").to_servers) == 1


# What cannot be used


KNOWN = "RequestURI, Method, SIPHeader, SessionCase, SessionDescription"
WRONG = [
    (one("<SIPMethod>INVITE</SIPMethod>"), f"SIPMethod is no condition, one of {KNOWN} is"),
    (one(f"<Language>en</Language>{method('INVITE')}"), f"Language is no condition, one of {KNOWN} is"),
    (one(method("INVITE") + case(0)), f"has 2 conditions, one of {KNOWN} is needed"),
    (one(""), f"has 0 conditions, one of {KNOWN} is needed"),
    (one(method("")), " is empty"),
    (one(case(5)), "'5' is not a number from 0 to 4"),
    (one("<SessionCase>originating</SessionCase>"), "'originating' is not a number from 0 to 4"),
    (one("<SIPHeader><Content>x</Content></SIPHeader>"), "names no Header"),
    (one("<SessionDescription><Content>x</Content></SessionDescription>"), "names no Line"),
    (one(header("^Contact$", "+g.poc")), "bad regular expression '+g.poc': nothing to repeat at position 0"),
    (one(uri("[[:nosuch:]]")), "bad regular expression '[[:nosuch:]]': no such class as [:nosuch:]"),
    (one(method("INVITE")).replace("<Group>0</Group>", ""), "has no Group"),
    (one(method("INVITE")).replace("<Group>0<", "<Group>first<"), "'first' is not a number of 0 or more"),
    (one(method("INVITE")).replace("Negated>0<", "Negated>maybe<"), "'maybe' is none of true, false, 1, 0"),
    (one(method("INVITE")).replace("CNF>1<", "CNF>yes<"), "'yes' is none of true, false, 1, 0"),
    ("<TriggerPoint><ConditionTypeCNF>1</ConditionTypeCNF></TriggerPoint>", "has no SPT"),
    (f"<TriggerPoint>{spt(method('INVITE'))}</TriggerPoint>", "has no ConditionTypeCNF"),
    (
        cnf(spt(method("REGISTER"), extension="<RegistrationType>3</RegistrationType>")),
        "'3' is not a number from 0 to 2",
    ),
]
WRONG_AROUND = [
    (criterion("", "high"), "'high' is not a number of 0 or more"),
    (criterion("", part="<ProfilePartIndicator>2</ProfilePartIndicator>"), "'2' is not a number from 0 to 1"),
    (criterion("", server="tel:+12025550100"), "ServerName tel:+12025550100 is no SIP URI"),
    (criterion("", server="http://as.example"), "ServerName http://as.example is no SIP URI"),
    (criterion("", server=""), "has no ServerName"),
    (
        criterion("").replace("</ServerName>", "</ServerName><DefaultHandling>2</DefaultHandling>"),
        "'2' is not a number from 0 to 1",
    ),
    ("<InitialFilterCriteria><Priority>1</Priority></InitialFilterCriteria>", "has no ApplicationServer"),
]


@pytest.mark.parametrize(("written", "reason"), [(criterion(each, 1), why) for each, why in WRONG] + WRONG_AROUND)
def test_criterion_that_cannot_be_used_is_named_at_the_start_and_the_others_are_used(
    tmp_path: Path, make_bench, caplog, written: str, reason: str
) -> None:
    criteria = profile(written, criterion("", 8))
    (tmp_path / "bob.xml").write_text(criteria["bob.xml"])
    settings = CoreSettings(listen=["udp:127.0.0.1:0"], listen_servers=["udp:127.0.0.1:0"], profiles=str(tmp_path))
    CoreDaemon(Settings(core=settings), Trace("core"), Log("core"))
    (record,) = caplog.records
    assert (record.levelname, record.getMessage()) == ("WARNING", "criterion skipped")
    assert record.fields["where"].startswith("bob.xml")
    assert reason in record.fields["where"]
    bench = make_bench(criteria)
    (told,) = bench.register("bob").to_servers
    assert told.to == OTHER
    assert bench.reasons("third-party REGISTER to sip:other.ims.example: criterion 8: unconditional")
