"""Initial filter criteria: every kind of trigger, how groups combine, and what an evaluation says of itself."""

import pytest

from talkburst.sip import Request
from talkburst.xml import ims_subscription as document
from talkburst_core.filter_criteria import (
    Check,
    CriterionError,
    DefaultHandling,
    Finding,
    RegistrationType,
    SessionCase,
    Subject,
    Trigger,
    criterion,
)

SERVER = "<ApplicationServer><ServerName>sip:as.ims.example</ServerName></ApplicationServer>"
SDP = b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\nm=audio 4000 RTP/AVP 0\r\na=sendrecv\r\n"


def spt(condition: str, group: int | tuple[int, ...] = 0, negated: bool = False, extension: str = "") -> str:
    groups = (group,) if isinstance(group, int) else group
    return (
        f"<SPT><ConditionNegated>{int(negated)}</ConditionNegated>"
        + "".join(f"<Group>{number}</Group>" for number in groups)
        + condition
        + (f"<Extension>{extension}</Extension>" if extension else "")
        + "</SPT>"
    )


def method(name: str) -> str:
    return f"<Method>{name}</Method>"


def header(name: str, content: str | None = None) -> str:
    inside = "" if content is None else f"<Content>{content}</Content>"
    return f"<SIPHeader><Header>{name}</Header>{inside}</SIPHeader>"


def trigger_point(*triggers: str, cnf: bool = True) -> str:
    return f"<TriggerPoint><ConditionTypeCNF>{int(cnf)}</ConditionTypeCNF>{''.join(triggers)}</TriggerPoint>"


def criteria(*written: str) -> list[document.InitialFilterCriteria]:
    """Criteria as a profile has them; each text is what stands around the priority."""
    text = "".join(
        f"<InitialFilterCriteria><Priority>{number}</Priority>{each}</InitialFilterCriteria>"
        for number, each in enumerate(written)
    )
    profile = (
        "<IMSSubscription><PrivateID>a@b</PrivateID><ServiceProfile>"
        f"<PublicIdentity><Identity>sip:a@b</Identity></PublicIdentity>{text}</ServiceProfile></IMSSubscription>"
    )
    return document.from_xml(profile.encode()).service_profiles[0].criteria


def subject(
    name: str = "REGISTER",
    uri: str = "sip:ims.example",
    headers: tuple[tuple[str, str], ...] = (),
    body: bytes = b"",
    case: SessionCase = SessionCase.ORIGINATING,
    registered: bool = True,
    kind: RegistrationType | None = None,
) -> Subject:
    return Subject(Request(name, uri, headers, body), case, registered, kind)


def verdict(written: str, of: Subject) -> tuple[bool, str]:
    evaluation = criterion(criteria(written)[0]).evaluate(of)
    return evaluation.matched, evaluation.reason


def matches(condition: str, of: Subject, **options: object) -> bool:
    return verdict(trigger_point(spt(condition, **options)) + SERVER, of)[0]  # type: ignore[arg-type]


# Groups


@pytest.mark.parametrize("order", [("a", "b", "c"), ("a", "c", "b"), ("c", "b", "a")])
@pytest.mark.parametrize(
    ("a", "b", "c", "cnf", "dnf"),
    [
        (1, 0, 0, False, False),
        (1, 0, 1, True, True),
        (1, 1, 0, False, True),  # tells the two forms apart
        (0, 0, 1, False, True),
        (0, 0, 0, False, False),
        (1, 1, 1, True, True),
    ],
)
def test_conjunctive_and_disjunctive_form_differ_as_annex_c_has_it(
    order: tuple[str, ...], a: int, b: int, c: int, cnf: bool, dnf: bool
) -> None:
    groups = {"a": 0, "b": 0, "c": 1}
    truth = {"a": a, "b": b, "c": c}
    triggers = [spt(method("REGISTER" if truth[name] else "BYE"), groups[name]) for name in order]
    assert verdict(trigger_point(*triggers, cnf=True) + SERVER, subject())[0] is cnf
    assert verdict(trigger_point(*triggers, cnf=False) + SERVER, subject())[0] is dnf


def test_trigger_with_several_groups_counts_in_each() -> None:
    triggers = (spt(method("REGISTER"), (0, 1)), spt(method("BYE"), 1))
    assert verdict(trigger_point(*triggers, cnf=True) + SERVER, subject())[0]
    assert verdict(trigger_point(*triggers, cnf=False) + SERVER, subject())[0]
    assert not verdict(trigger_point(spt(method("BYE"), (0, 1)), spt(method("REGISTER"), 1)) + SERVER, subject())[0]


def test_negation_inverts_one_trigger_before_its_group_is_formed() -> None:
    triggers = (spt(method("BYE"), 0, negated=True), spt(method("REGISTER"), 1))
    assert verdict(trigger_point(*triggers) + SERVER, subject())[0]
    assert not verdict(trigger_point(*triggers) + SERVER, subject("BYE"))[0]


def test_criterion_without_trigger_point_matches_everything() -> None:
    assert verdict(SERVER, subject("MESSAGE")) == (True, "criterion 0: unconditional")


@pytest.mark.parametrize(("part", "registered", "matched"), [(0, True, True), (0, False, False), (1, True, False)])
def test_profile_part_indicator_is_for_the_registered_or_for_the_others(
    part: int, registered: bool, matched: bool
) -> None:
    written = f"{SERVER}<ProfilePartIndicator>{part}</ProfilePartIndicator>"
    assert verdict(written, subject(registered=registered))[0] is matched


# Kinds of triggers


@pytest.mark.parametrize(
    ("wanted", "found", "matched"),
    [("SUBSCRIBE", "SUBSCRIBE", True), ("SUB", "SUBSCRIBE", False), ("subscribe", "SUBSCRIBE", False)],
)
def test_method_is_compared_exactly(wanted: str, found: str, matched: bool) -> None:
    assert matches(method(wanted), subject(found)) is matched


@pytest.mark.parametrize(
    ("name", "content", "headers", "matched"),
    [
        ("^Contact$", r"\+g\.poc\.talkburst", (("Contact", "<sip:a@h>;+g.poc.talkburst"),), True),
        ("^contact$", r"\+g\.poc\.talkburst", (("CONTACT", "<sip:a@h>;+g.poc.talkburst"),), True),
        ("^Contact$", r"\+g\.poc\.talkburst", (("m", "<sip:a@h>;+g.poc.talkburst"),), True),
        ("^Contact$", r"\+g\.poc\.talkburst", (("Accept-Contact", "*;+g.poc.talkburst"),), False),
        ("Contact", r"\+g\.poc\.talkburst", (("Accept-Contact", "*;+g.poc.talkburst"),), True),
        ("^Contact$", r"\+G\.POC", (("Contact", "<sip:a@h>;+g.poc.talkburst"),), False),
        ("^Contact$", "sip:b@h", (("Contact", "<sip:a@h>"), ("Contact", "<sip:b@h>")), True),
        ("To", None, (("Reply-To", "<sip:a@h>"),), True),
        ("^To$", None, (("Reply-To", "<sip:a@h>"),), False),
        ("^Event$", r"^\s*presence\s*(;|$)", (("o", "presence;id=1"),), True),
        ("^Event$", r"^[[:space:]]*presence[[:space:]]*(;|$)", (("Event", "presence.winfo"),), False),
    ],
)
def test_header_name_and_content_are_searched(
    name: str, content: str | None, headers: tuple[tuple[str, str], ...], matched: bool
) -> None:
    assert matches(header(name, content), subject(headers=headers)) is matched


@pytest.mark.parametrize(
    ("contact", "matched"),
    [
        ("<sip:a@h>;+g.poc.talkburst", True),
        ("<sip:a@h>;+g.poc.talkburst;q=0.5", True),
        ("<sip:a@h>;+g.poc.talkburst , <sip:b@h>", True),
        ('<sip:a@h>;+g.poc.talkburst="TRUE"', True),
        ("<sip:a@h>;+g.poc.talkburst=TRUE", True),
        ('<sip:a@h>;+g.poc.talkburst="FALSE"', False),
        ("<sip:a@h>;+g.poc.talkburst2", False),
        ("<sip:a@h>", False),
        ("*", False),
    ],
)
def test_feature_tag_pattern_of_the_demo_profiles_takes_true_and_no_value(contact: str, matched: bool) -> None:
    pattern = r'\+g\.poc\.talkburst(="?TRUE"?)?[[:space:]]*([;,]|$)'
    assert matches(header("^Contact$", pattern), subject(headers=(("Contact", contact),))) is matched


def test_absent_header_is_a_negated_presence_test() -> None:
    assert matches(header("^Route$"), subject(), negated=True)
    assert not matches(header("^Route$"), subject(headers=(("Route", "<sip:h;lr>"),)), negated=True)


@pytest.mark.parametrize(
    ("pattern", "uri", "matched"),
    [
        ("^ims.example$", "sip:alice@ims.example;user=phone", True),
        ("^ims.example:5060$", "sip:alice@ims.example:5060", True),
        ("alice", "sip:alice@ims.example", False),
        (r"^\+1202", "tel:+12025550101", True),
        ("^service:sos", "urn:service:sos", True),
    ],
)
def test_request_uri_is_matched_by_host_or_number(pattern: str, uri: str, matched: bool) -> None:
    assert matches(f"<RequestURI>{pattern}</RequestURI>", subject("INVITE", uri)) is matched


@pytest.mark.parametrize("case", list(SessionCase))
def test_session_case_is_compared(case: SessionCase) -> None:
    condition = f"<SessionCase>{int(case)}</SessionCase>"
    assert matches(condition, subject(case=case))
    assert not matches(condition, subject(case=next(other for other in SessionCase if other is not case)))


@pytest.mark.parametrize(
    ("line", "content", "matched"),
    [("m", "^audio", True), ("m", "video", False), ("a", "sendrecv", True), ("b", None, False), ("m", None, True)],
)
def test_session_description_lines_are_searched(line: str, content: str | None, matched: bool) -> None:
    inside = "" if content is None else f"<Content>{content}</Content>"
    condition = f"<SessionDescription><Line>{line}</Line>{inside}</SessionDescription>"
    assert matches(condition, subject("INVITE", headers=(("c", "application/sdp"),), body=SDP)) is matched
    assert not matches(condition, subject("INVITE", headers=(("c", "text/plain"),), body=SDP))


@pytest.mark.parametrize(
    ("listed", "kind", "matched"),
    [
        ((), RegistrationType.DE_REGISTRATION, True),
        ((0,), RegistrationType.INITIAL, True),
        ((0,), RegistrationType.RE_REGISTRATION, False),
        ((0, 1), RegistrationType.RE_REGISTRATION, True),
        ((0, 1), RegistrationType.DE_REGISTRATION, False),
        ((2,), RegistrationType.DE_REGISTRATION, True),
    ],
)
def test_registration_types_narrow_a_register_condition(
    listed: tuple[int, ...], kind: RegistrationType, matched: bool
) -> None:
    extension = "".join(f"<RegistrationType>{number}</RegistrationType>" for number in listed)
    assert matches(method("REGISTER"), subject(kind=kind), extension=extension) is matched


# Explanations


POC_REGISTER = trigger_point(
    spt(method("REGISTER"), 0), spt(header("^Contact$", r'\+g\.poc\.talkburst(="?TRUE"?)?\s*([;,]|$)'), 1)
)
POC_SETTINGS = trigger_point(
    spt(method("SUBSCRIBE"), 0),
    spt(method("PUBLISH"), 0),
    spt(header("^Event$", r"^\s*poc-settings\s*(;|$)"), 1),
    spt("<SessionCase>0</SessionCase>", 2),
)


@pytest.mark.parametrize(
    ("written", "of", "reason"),
    [
        (
            POC_REGISTER,
            subject(headers=(("Contact", "<sip:a@h>"),)),
            "criterion 0, group 1: Contact has no +g.poc.talkburst",
        ),
        (POC_REGISTER, subject(), "criterion 0, group 1: no Contact header"),
        (
            POC_REGISTER,
            subject(headers=(("Contact", "<sip:a@h>;+g.poc.talkburst"),)),
            "criterion 0: method is REGISTER; Contact has +g.poc.talkburst",
        ),
        (
            POC_SETTINGS,
            subject("MESSAGE"),
            "criterion 0, group 0: method is MESSAGE, not SUBSCRIBE; method is MESSAGE, not PUBLISH",
        ),
        (
            POC_SETTINGS,
            subject("PUBLISH", headers=(("Event", "presence"),)),
            "criterion 0, group 1: Event has no poc-settings",
        ),
        (
            POC_SETTINGS,
            subject("PUBLISH", headers=(("Event", "poc-settings"),), case=SessionCase.TERMINATING_REGISTERED),
            "criterion 0, group 2: session case is terminating registered, not originating",
        ),
        (
            trigger_point(
                spt(method("REGISTER"), 0, extension="<RegistrationType>0</RegistrationType>"), spt(method("BYE"), 1)
            ),
            subject(kind=RegistrationType.RE_REGISTRATION),
            "criterion 0, group 0: re-registration, not initial registration",
        ),
        (
            trigger_point(spt(method("BYE"), 0), spt(header("^Route$"), 1), cnf=False),
            subject(),
            "criterion 0, group 0: method is REGISTER, not BYE; group 1: no Route header",
        ),
    ],
)
def test_evaluation_explains_itself(written: str, of: Subject, reason: str) -> None:
    assert verdict(written + SERVER, of)[1] == reason


def test_profile_part_is_explained() -> None:
    written = f"{SERVER}<ProfilePartIndicator>0</ProfilePartIndicator>"
    assert verdict(written, subject(registered=False))[1] == "criterion 0: only for a user who is registered"


# Compilation


@pytest.mark.parametrize(
    "written",
    [
        trigger_point(spt(header("^Contact$", "+g.poc"))) + SERVER,
        trigger_point(spt("<RequestURI>[[:nosuch:]]</RequestURI>")) + SERVER,
        "<ApplicationServer><ServerName>not a uri</ServerName></ApplicationServer>",
    ],
)
def test_criterion_that_cannot_be_used_says_so(written: str) -> None:
    with pytest.raises(CriterionError):
        criterion(criteria(written)[0])


def test_default_handling_is_continued_unless_the_profile_says_otherwise() -> None:
    ended = SERVER.replace("</ServerName>", "</ServerName><DefaultHandling>1</DefaultHandling>")
    handlings = [criterion(each).default_handling for each in criteria(SERVER, ended)]
    assert handlings == [DefaultHandling.SESSION_CONTINUED, DefaultHandling.SESSION_TERMINATED]


@pytest.mark.parametrize(("cnf", "first"), [(True, False), (False, True)])
def test_groups_after_the_one_that_decides_are_not_looked_at(cnf: bool, first: bool) -> None:
    looked_at: list[int] = []

    def check(number: int, holds: bool) -> Check:
        def found(_: Subject) -> Finding:
            looked_at.append(number)
            return Finding(holds, f"group {number}")

        return found

    trigger = Trigger(cnf, ((0, (check(0, first),)), (1, (check(1, first),))))
    assert trigger.evaluate("criterion 0", subject()) == (first, "criterion 0, group 0: group 0")
    assert looked_at == [0]
