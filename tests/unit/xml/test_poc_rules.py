import time

import pytest

from talkburst.xml import XmlError
from talkburst.xml.common_policy import (
    ANONYMOUS_REQUEST,
    OTHER_IDENTITY,
    ExternalList,
    Identity,
    Many,
    NamedCondition,
    Sphere,
    Validity,
)
from talkburst.xml.poc_rules import ALLOW_INVITE, from_xml

BUDDIES = (
    "http://xcap.example.com/resource-lists/users/sip:alice@example.com/index/~~/resource-lists/"
    "list%5b@name=%22oma_pocbuddylist%22%5d"
)


def document(inside: str) -> bytes:
    return (
        '<cp:ruleset xmlns:cp="urn:ietf:params:xml:ns:common-policy" xmlns:poc="urn:oma:xml:poc:poc-rules"'
        f' xmlns:ocp="urn:oma:xml:xdm:common-policy">{inside}</cp:ruleset>'
    ).encode()


def test_rules_are_read_with_conditions_and_the_invite_action() -> None:
    rules = from_xml(
        document(f"""
        <cp:rule id="friends"><cp:conditions><ocp:external-list><ocp:entry anc="{BUDDIES}"/></ocp:external-list>
          </cp:conditions><cp:actions><poc:allow-invite>accept</poc:allow-invite></cp:actions></cp:rule>
        <cp:rule id="some"><cp:conditions><cp:identity><cp:one id="sip:mallory@example.com"/>
            <cp:many domain="example.org"><cp:except id="sip:a@example.org"/><cp:except domain="x.org"/></cp:many>
            </cp:identity><cp:sphere value="work"/><cp:validity><cp:from>2025-11-22T00:00:00Z</cp:from>
            <cp:until>2025-11-23T00:00:00.5+01:00</cp:until></cp:validity><x:y xmlns:x="urn:x"/></cp:conditions>
          <cp:actions><poc:allow-invite> reject </poc:allow-invite></cp:actions><cp:transformations/></cp:rule>
        <cp:rule id="others"><cp:conditions><ocp:other-identity/></cp:conditions></cp:rule>
        <cp:rule id="nobody"><cp:conditions><ocp:anonymous-request/></cp:conditions></cp:rule>""")
    )
    assert [rule.id for rule in rules] == ["friends", "some", "others", "nobody"]
    assert [rule.actions.get(ALLOW_INVITE) for rule in rules] == ["accept", "reject", None, None]
    assert rules[0].conditions == [ExternalList([BUDDIES])]
    assert rules[1].conditions == [
        Identity(["sip:mallory@example.com"], [Many("example.org", ["x.org"], ["sip:a@example.org"])]),
        Sphere("work"),
        Validity([("2025-11-22T00:00:00Z", "2025-11-23T00:00:00.5+01:00")]),
        NamedCondition("{urn:x}y"),
    ]
    assert [rules[2].conditions, rules[3].conditions] == [[OTHER_IDENTITY], [ANONYMOUS_REQUEST]]


def rule(conditions: str = "", action: str = "accept") -> str:
    return (
        f'<cp:rule id="r"><cp:conditions>{conditions}</cp:conditions>'
        f"<cp:actions><poc:allow-invite>{action}</poc:allow-invite></cp:actions></cp:rule>"
    )


@pytest.mark.parametrize(
    ("inside", "condition", "text", "field"),
    [
        (rule(action="maybe"), "schema-validation-error", "allow-invite 'maybe' is none of reject, pass, accept", ""),
        ("<cp:rule/>", "schema-validation-error", "no attribute id", ""),
        (rule() + rule(), "uniqueness-failure", "rule id 'r' is there twice", "ruleset/rule[2]/@id"),
        (
            rule("<cp:identity/><ocp:other-identity/>"),
            "constraint-failure",
            "at most one of identity, external-list",
            "",
        ),
        ('<cp:rule id="r"><cp:actions/><cp:conditions/></cp:rule>', "schema-validation-error", "the order is", ""),
        (rule("<cp:validity/>"), "schema-validation-error", "pairs of from and until", ""),
        (
            rule("<cp:validity><cp:from>today</cp:from><cp:until>later</cp:until></cp:validity>"),
            "schema-validation-error",
            "'today' is no date",
            "",
        ),
        (rule("<cp:identity><cp:many><cp:except/></cp:many></cp:identity>"), "schema-validation-error", "either", ""),
        (rule("<ocp:external-list><ocp:entry/></ocp:external-list>"), "schema-validation-error", "attribute anc", ""),
    ],
)
def test_a_wrong_document_is_refused_with_condition_and_place(
    inside: str, condition: str, text: str, field: str
) -> None:
    with pytest.raises(XmlError, match=text) as refused:
        from_xml(document(inside))
    assert (refused.value.condition, refused.value.field) == (condition, field)


def test_the_work_of_reading_grows_with_the_document_and_not_with_its_square() -> None:
    started = time.process_time()
    assert len(from_xml(document("".join(f'<cp:rule id="{number}"/>' for number in range(40_000))))) == 40_000
    assert time.process_time() - started < 5.0
