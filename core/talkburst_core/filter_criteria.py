"""Initial filter criteria: which application server takes part in a request (TS 29.228 annexes B, C and F).

A criterion is compiled once from the subscriber profile and evaluated against a `Subject`. Every evaluation says in
words why it came out as it did, because "why was my server not told" is the question that is asked of it.
"""

import enum
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from talkburst.sip import Request, SipUri, TelUri, UriError, parse_uri
from talkburst.xml import ims_subscription as document
from talkburst_core.posix_regex import RegexError, compiled, gist


class SessionCase(enum.IntEnum):
    ORIGINATING = 0
    TERMINATING_REGISTERED = 1
    TERMINATING_UNREGISTERED = 2
    ORIGINATING_UNREGISTERED = 3
    ORIGINATING_CDIV = 4

    @property
    def words(self) -> str:
        return self.name.lower().replace("_", " ")


class RegistrationType(enum.IntEnum):
    INITIAL = 0
    RE_REGISTRATION = 1
    DE_REGISTRATION = 2

    @property
    def words(self) -> str:
        return ("initial registration", "re-registration", "de-registration")[self]


class DefaultHandling(enum.IntEnum):
    """What follows when the application server does not answer."""

    SESSION_CONTINUED = 0
    SESSION_TERMINATED = 1


class Subject:
    """What is evaluated: a request, in which role of its user, and for REGISTER of which kind."""

    __slots__ = ("registered", "registration_type", "request", "session_case")

    def __init__(
        self,
        request: Request,
        session_case: SessionCase,
        registered: bool = True,
        registration_type: RegistrationType | None = None,
    ) -> None:
        self.request: Final = request
        self.session_case: Final = session_case
        self.registered: Final = registered
        self.registration_type: Final = registration_type


class Finding:
    """One service point trigger against one subject: the outcome (negation applied) and the fact behind it."""

    __slots__ = ("fact", "holds")

    def __init__(self, holds: bool, fact: str) -> None:
        self.holds: Final = holds
        self.fact: Final = fact


class Evaluation:
    """The outcome for one criterion; `reason` is for people: "criterion 0, group 1: method is BYE, not PUBLISH"."""

    __slots__ = ("criterion", "matched", "reason")

    def __init__(self, criterion: "Criterion", matched: bool, reason: str) -> None:
        self.criterion: Final = criterion
        self.matched: Final = matched
        self.reason: Final = reason


Check = Callable[[Subject], Finding]


@dataclass(slots=True, frozen=True)
class Trigger:
    """The groups of service point triggers of one criterion, in the order of their numbers.

    CNF: OR inside a group, AND between groups. DNF: AND inside a group, OR between groups (TS 29.228 annex C).
    """

    cnf: bool
    groups: tuple[tuple[int, tuple[Check, ...]], ...]

    def evaluate(self, name: str, subject: Subject) -> tuple[bool, str]:
        # One group after the other: most criteria are decided by their first.
        return self._conjunction(name, subject) if self.cnf else self._disjunction(name, subject)

    def _conjunction(self, name: str, subject: Subject) -> tuple[bool, str]:
        facts: list[str] = []
        for number, checks in self.groups:
            findings = [check(subject) for check in checks]
            held = next((finding.fact for finding in findings if finding.holds), None)
            if held is None:
                return False, f"{name}, group {number}: " + "; ".join([finding.fact for finding in findings])
            facts.append(held)
        return True, f"{name}: " + "; ".join(facts)

    def _disjunction(self, name: str, subject: Subject) -> tuple[bool, str]:
        failures: list[str] = []
        for number, checks in self.groups:
            findings = [check(subject) for check in checks]
            failed = next((finding.fact for finding in findings if not finding.holds), None)
            if failed is None:
                return True, f"{name}, group {number}: " + "; ".join([finding.fact for finding in findings])
            failures.append(f"group {number}: {failed}")
        return False, f"{name}, " + "; ".join(failures)


@dataclass(slots=True, frozen=True)
class Criterion:
    """One initial filter criterion, ready to evaluate. A lower `priority` number is evaluated earlier."""

    priority: int
    server: document.ApplicationServer
    trigger: Trigger | None = field(repr=False)
    profile_part: int | None = None

    @property
    def default_handling(self) -> DefaultHandling:
        return DefaultHandling(self.server.default_handling)

    def evaluate(self, subject: Subject) -> Evaluation:
        name = f"criterion {self.priority}"
        if self.profile_part is not None and (self.profile_part == 0) != subject.registered:
            part = ("registered", "unregistered")[self.profile_part]
            return Evaluation(self, False, f"{name}: only for a user who is {part}")
        if self.trigger is None:
            return Evaluation(self, True, f"{name}: unconditional")
        matched, reason = self.trigger.evaluate(name, subject)
        return Evaluation(self, matched, reason)


def criterion(raw: document.InitialFilterCriteria) -> Criterion:
    """Compiles what stands in a profile. Raises `RegexError` or `UriError` when it cannot be used."""
    if not isinstance(parse_uri(raw.application_server.server_name), SipUri):
        raise UriError(f"ServerName {raw.application_server.server_name} is no SIP URI")
    trigger = None if raw.trigger_point is None else _trigger(raw.trigger_point)
    return Criterion(raw.priority, raw.application_server, trigger, raw.profile_part)


CriterionError: Final = (RegexError, UriError)


def _trigger(raw: document.TriggerPoint) -> Trigger:
    groups: dict[int, list[Check]] = {}
    for point in raw.triggers:
        check = _point(point)
        for number in dict.fromkeys(point.groups):
            groups.setdefault(number, []).append(check)
    return Trigger(raw.cnf, tuple((number, tuple(groups[number])) for number in sorted(groups)))


def _point(raw: document.ServicePointTrigger) -> Check:
    check = _CONDITIONS[type(raw.condition)](raw.condition)
    kinds = frozenset(RegistrationType(number) for number in raw.registration_types)
    if isinstance(raw.condition, document.MethodCondition) and kinds:
        check = _of_kinds(check, kinds)
    return _negation(check) if raw.negated else check


def _negation(check: Check) -> Check:
    def negated(subject: Subject) -> Finding:
        finding = check(subject)
        return Finding(not finding.holds, finding.fact)

    return negated


def _of_kinds(check: Check, kinds: frozenset[RegistrationType]) -> Check:
    """RegistrationType narrows a condition on REGISTER; the condition holds for any type that is listed."""
    wanted = " or ".join(kind.words for kind in sorted(kinds))

    def narrowed(subject: Subject) -> Finding:
        finding = check(subject)
        kind = subject.registration_type
        if not finding.holds or kind is None:
            return finding
        return Finding(kind in kinds, f"{kind.words}" if kind in kinds else f"{kind.words}, not {wanted}")

    return narrowed


def _method(condition: document.MethodCondition) -> Check:
    """A method is a case-sensitive token (RFC 3261 7.1)."""
    wanted = condition.method

    def check(subject: Subject) -> Finding:
        method = subject.request.method
        if method == wanted:
            return Finding(True, f"method is {wanted}")
        return Finding(False, f"method is {method}, not {wanted}")

    return check


def _session_case(condition: document.SessionCaseCondition) -> Check:
    wanted = SessionCase(condition.case)

    def check(subject: Subject) -> Finding:
        found = subject.session_case
        if found is wanted:
            return Finding(True, f"session case is {found.words}")
        return Finding(False, f"session case is {found.words}, not {wanted.words}")

    return check


def _request_uri(condition: document.RequestUriCondition) -> Check:
    """Matches host and port of a SIP URI, or the subscriber number of a tel URI (TS 29.228 table F.1)."""
    pattern, wanted = compiled(condition.pattern), gist(condition.pattern)

    def check(subject: Subject) -> Finding:
        place = _matched_part(subject.request)
        if pattern.search(place):
            return Finding(True, f"Request-URI has {wanted}")
        return Finding(False, f"Request-URI has no {wanted} in {place!r}")

    return check


def _matched_part(request: Request) -> str:
    try:
        uri = request.parsed_uri
    except UriError:
        return request.uri
    if isinstance(uri, SipUri):
        return uri.host if uri.port is None else f"{uri.host}:{uri.port}"
    return uri.number if isinstance(uri, TelUri) else uri.opaque


def _sip_header(condition: document.SipHeaderCondition) -> Check:
    """`header` is searched in the full names of the header fields, `content` in the value of each one found.

    RFC 3261 7.3.1: names are case-insensitive. Values are not: feature tags and event packages are written exactly.
    """
    header, name = compiled(condition.header, re.IGNORECASE), gist(condition.header)
    content = None if condition.content is None else compiled(condition.content)
    wanted = None if condition.content is None else gist(condition.content)

    def check(subject: Subject) -> Finding:
        request = subject.request
        keys = [key for key in request.first_values() if header.search(key)]
        if not keys:
            return Finding(False, f"no {name} header")
        if content is None:
            return Finding(True, f"{name} header is there")
        if any(content.search(value) for key in keys for value in request.get_all(key)):
            return Finding(True, f"{name} has {wanted}")
        return Finding(False, f"{name} has no {wanted}")

    return check


def _session_description(condition: document.SessionDescriptionCondition) -> Check:
    """`line` is searched in the letters of the session description lines, `content` in what follows the "="."""
    letter, content = compiled(condition.line), None if condition.content is None else compiled(condition.content)
    wanted = gist(condition.line) + ("" if condition.content is None else f"={gist(condition.content)}")

    def check(subject: Subject) -> Finding:
        lines = _session_lines(subject.request)
        if lines is None:
            return Finding(False, "no application/sdp body")
        for found, value in lines:
            if letter.search(found) and (content is None or content.search(value)):
                return Finding(True, f"session description has {wanted}")
        return Finding(False, f"session description has no {wanted}")

    return check


def _session_lines(request: Request) -> list[tuple[str, str]] | None:
    media_type = (request.get("Content-Type") or "").partition(";")[0].strip().lower()
    if media_type != "application/sdp":
        return None
    lines = request.body.decode("utf-8", "replace").splitlines()
    return [(letter, value) for letter, found, value in (line.partition("=") for line in lines) if found]


_CONDITIONS: Final[dict[type, Callable[..., Check]]] = {
    document.MethodCondition: _method,
    document.SessionCaseCondition: _session_case,
    document.RequestUriCondition: _request_uri,
    document.SipHeaderCondition: _sip_header,
    document.SessionDescriptionCondition: _session_description,
}
