import time

import pytest

from talkburst.xml import XmlError
from talkburst.xml.common_policy import OTHER_IDENTITY, NamedCondition
from talkburst.xml.poc_groups import IS_LIST_MEMBER, from_xml
from talkburst.xml.resource_lists import Entry, External

CREW = """<?xml version="1.0" encoding="UTF-8"?>
<group xmlns="urn:oma:xml:poc:list-service" xmlns:rl="urn:ietf:params:xml:ns:resource-lists"
       xmlns:cr="urn:ietf:params:xml:ns:common-policy" xmlns:ocp="urn:oma:xml:xdm:common-policy">
  <list-service uri="sip:crew@ims.example">
    <display-name xml:lang="en">Crew</display-name>
    <list>
      <entry uri="sip:bob@ims.example"><rl:display-name>Bob</rl:display-name></entry>
      <external anchor="http://xcap.ims.example/resource-lists/users/sip:alice@ims.example/index"/>
    </list>
    <invite-members>true</invite-members>
    <max-participant-count>10</max-participant-count>
    <cr:ruleset>
      <cr:rule id="members"><cr:conditions><is-list-member/></cr:conditions>
        <cr:actions><join-handling>true</join-handling><allow-initiate-conference>1</allow-initiate-conference>
        </cr:actions></cr:rule>
      <cr:rule id="rest"><cr:conditions><ocp:other-identity/></cr:conditions>
        <cr:actions><join-handling>block</join-handling></cr:actions></cr:rule>
    </cr:ruleset>
    <supported-services xmlns="urn:oma:xml:xdm:group"/>
  </list-service>
</group>"""


def test_a_group_is_read_with_members_and_rules() -> None:
    [group] = from_xml(CREW.encode())
    assert (group.uri, group.display_name) == ("sip:crew@ims.example", "Crew")
    assert group.entries == [Entry("sip:bob@ims.example", "Bob")]
    assert group.externals == [External("http://xcap.ims.example/resource-lists/users/sip:alice@ims.example/index")]
    assert (group.invite_members, group.max_participant_count) == (True, 10)
    members, rest = group.rules
    assert members.conditions == [NamedCondition(IS_LIST_MEMBER)]
    assert rest.conditions == [OTHER_IDENTITY]
    assert [group.action(rule, "join-handling") for rule in (members, rest)] == [True, False]
    assert [group.action(rule, "allow-initiate-conference") for rule in (members, rest)] == [True, False]


@pytest.mark.parametrize(
    ("before", "after", "condition", "text", "field"),
    [
        (' uri="sip:crew@ims.example"', "", "schema-validation-error", "no attribute uri", ""),
        (">10<", ">many<", "schema-validation-error", "'many' is not a number", ""),
        ("<invite-members>true", "<invite-members>yes", "schema-validation-error", "'yes' is none of", ""),
        ("<list>", "<owner/><list>", "schema-validation-error", "owner of namespace .*cannot stand here", ""),
        ("</list>", "</list><list/>", "schema-validation-error", "a second list", ""),
        ("join-handling>block", "join-handling>perhaps", "schema-validation-error", "join-handling 'perhaps'", ""),
        (
            "</list>",
            '<entry uri="sip:bob@ims.example"/></list>',
            "uniqueness-failure",
            "uri 'sip:bob@ims.example' is there twice",
            "group/list-service/list/entry[2]/@uri",
        ),
        (
            'id="rest"',
            'id="members"',
            "uniqueness-failure",
            "rule id 'members' is there twice",
            "group/list-service[1]/cp:ruleset/cp:rule[2]/@id?xmlns(cp=urn:ietf:params:xml:ns:common-policy)",
        ),
        (
            "</group>",
            '<list-service uri="sip:crew@ims.example"/></group>',
            "uniqueness-failure",
            "is there twice",
            "group/list-service[2]/@uri",
        ),
    ],
)
def test_a_wrong_document_is_refused_with_condition_place_and_field(
    before: str, after: str, condition: str, text: str, field: str
) -> None:
    assert before in CREW
    with pytest.raises(XmlError, match=text) as refused:
        from_xml(CREW.replace(before, after, 1).encode())
    assert (refused.value.condition, refused.value.field) == (condition, field)


def test_the_work_of_reading_grows_with_the_document_and_not_with_its_square() -> None:
    started = time.process_time()
    services = "".join(f'<list-service uri="sip:{number}@ims.example"/>' for number in range(20_000))
    assert len(from_xml(f'<group xmlns="urn:oma:xml:poc:list-service">{services}</group>'.encode())) == 20_000
    assert time.process_time() - started < 5.0
