import pytest

from talkburst.xml import XmlError
from talkburst.xml.ims_subscription import (
    ApplicationServer,
    InitialFilterCriteria,
    MethodCondition,
    PublicIdentity,
    RequestUriCondition,
    ServicePointTrigger,
    SessionCaseCondition,
    SessionDescriptionCondition,
    SipHeaderCondition,
    TriggerPoint,
    from_xml,
)

PROFILE = r"""<?xml version="1.0" encoding="UTF-8"?>
<IMSSubscription>
  <PrivateID>alice@ims.example</PrivateID>
  <ServiceProfile>
    <PublicIdentity><BarringIndication>1</BarringIndication><Identity>sip:temporary@ims.example</Identity></PublicIdentity>
    <PublicIdentity><Identity>sip:alice@ims.example</Identity><Extension><IdentityType>0</IdentityType>
      <Extension><DisplayName>Alice</DisplayName><AliasIdentityGroupID>g1</AliasIdentityGroupID></Extension></Extension></PublicIdentity>
    <InitialFilterCriteria>
      <Priority>1</Priority>
      <TriggerPoint><ConditionTypeCNF>1</ConditionTypeCNF>
        <SPT><Group>0</Group><Method>SUBSCRIBE</Method></SPT>
        <SPT><ConditionNegated>true</ConditionNegated><Group>1</Group><Group>2</Group>
          <SIPHeader><Header>^Event$</Header><Content>^\s*poc-settings\s*(;|$)</Content></SIPHeader></SPT>
        <SPT><Group>2</Group><SessionCase>0</SessionCase></SPT>
        <SPT><Group>3</Group><RequestURI>ims\.example</RequestURI></SPT>
        <SPT><Group>4</Group><SessionDescription><Line>m</Line></SessionDescription></SPT>
      </TriggerPoint>
      <ApplicationServer><ServerName>sip:poc.ims.example</ServerName><DefaultHandling>1</DefaultHandling></ApplicationServer>
    </InitialFilterCriteria>
    <InitialFilterCriteria>
      <Priority>0</Priority>
      <TriggerPoint><ConditionTypeCNF>0</ConditionTypeCNF>
        <SPT><Group>0</Group><Method>REGISTER</Method><Extension><RegistrationType>0</RegistrationType>
          <RegistrationType>1</RegistrationType></Extension></SPT>
      </TriggerPoint>
      <ApplicationServer><ServerName>sip:poc.ims.example</ServerName><ServiceInfo>for you</ServiceInfo>
        <Extension><IncludeRegisterRequest/></Extension></ApplicationServer>
      <ProfilePartIndicator>0</ProfilePartIndicator>
    </InitialFilterCriteria>
  </ServiceProfile>
</IMSSubscription>"""


def with_criteria(criteria: str) -> bytes:
    return (
        "<IMSSubscription><PrivateID>a@b</PrivateID><ServiceProfile><PublicIdentity><Identity>sip:a@b</Identity>"
        f"</PublicIdentity>{criteria}</ServiceProfile></IMSSubscription>"
    ).encode()


def test_a_profile_is_read_as_it_stands_and_criteria_come_in_the_order_of_their_priority() -> None:
    subscription = from_xml(PROFILE.encode())
    assert subscription.private_id == "alice@ims.example"
    [profile] = subscription.service_profiles
    assert profile.public_identities == [
        PublicIdentity("sip:temporary@ims.example", barred=True),
        PublicIdentity("sip:alice@ims.example", display_name="Alice", alias_group="g1"),
    ]
    assert profile.skipped == []
    assert profile.criteria == [
        InitialFilterCriteria(
            priority=0,
            trigger_point=TriggerPoint(
                False, (ServicePointTrigger(MethodCondition("REGISTER"), (0,), False, frozenset({0, 1})),)
            ),
            application_server=ApplicationServer("sip:poc.ims.example", 0, "for you", True, False),
            profile_part=0,
        ),
        InitialFilterCriteria(
            priority=1,
            trigger_point=TriggerPoint(
                True,
                (
                    ServicePointTrigger(MethodCondition("SUBSCRIBE"), (0,)),
                    ServicePointTrigger(SipHeaderCondition("^Event$", r"^\s*poc-settings\s*(;|$)"), (1, 2), True),
                    ServicePointTrigger(SessionCaseCondition(0), (2,)),
                    ServicePointTrigger(RequestUriCondition(r"ims\.example"), (3,)),
                    ServicePointTrigger(SessionDescriptionCondition("m", None), (4,)),
                ),
            ),
            application_server=ApplicationServer("sip:poc.ims.example", 1),
            profile_part=None,
        ),
    ]


AS = "<ApplicationServer><ServerName>sip:as</ServerName></ApplicationServer>"


@pytest.mark.parametrize(
    ("criteria", "reason"),
    [
        ("<Priority>7</Priority>", "has no ApplicationServer"),
        ("<Priority>7</Priority><ApplicationServer/>", "has no ServerName"),
        (AS, "has no Priority"),
        (f"<Priority>first</Priority>{AS}", "'first' is not a number of 0 or more"),
        (f"<Priority>7</Priority><TriggerPoint/>{AS}", "has no ConditionTypeCNF"),
        (
            f"<Priority>7</Priority><TriggerPoint><ConditionTypeCNF>2</ConditionTypeCNF></TriggerPoint>{AS}",
            "has no SPT",
        ),
        (
            "<Priority>7</Priority><TriggerPoint><ConditionTypeCNF>1</ConditionTypeCNF><SPT><Method>X</Method></SPT>"
            f"</TriggerPoint>{AS}",
            "has no Group",
        ),
        (
            "<Priority>7</Priority><TriggerPoint><ConditionTypeCNF>1</ConditionTypeCNF><SPT><Group>0</Group></SPT>"
            f"</TriggerPoint>{AS}",
            "has 0 conditions",
        ),
        (
            "<Priority>7</Priority><TriggerPoint><ConditionTypeCNF>1</ConditionTypeCNF><SPT><Group>0</Group>"
            f"<SessionCase>9</SessionCase></SPT></TriggerPoint>{AS}",
            "'9' is not a number from 0 to 4",
        ),
        (f"<Priority>7</Priority>{AS}<ProfilePartIndicator>2</ProfilePartIndicator>", "from 0 to 1"),
    ],
)
def test_a_criterion_that_cannot_be_used_is_skipped_with_its_reason_and_the_others_go_on(
    criteria: str, reason: str
) -> None:
    good = f"<InitialFilterCriteria><Priority>3</Priority>{AS}</InitialFilterCriteria>"
    data = with_criteria(f"<InitialFilterCriteria>{criteria}</InitialFilterCriteria>{good}")
    [profile] = from_xml(data).service_profiles
    assert [criterion.priority for criterion in profile.criteria] == [3]
    assert [(skipped.index, reason in skipped.reason) for skipped in profile.skipped] == [(0, True)]


def test_a_criterion_without_trigger_point_is_read_as_unconditional() -> None:
    [profile] = from_xml(
        with_criteria(f"<InitialFilterCriteria><Priority>3</Priority>{AS}</InitialFilterCriteria>")
    ).service_profiles
    assert profile.criteria == [InitialFilterCriteria(3, None, ApplicationServer("sip:as"))]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"<IMSSubscription/>", "no PrivateID"),
        (b"<IMSSubscription><PrivateID>a</PrivateID></IMSSubscription>", "no ServiceProfile"),
        (
            b"<IMSSubscription><PrivateID>a</PrivateID><ServiceProfile/></IMSSubscription>",
            "ServiceProfile .*has no PublicIdentity",
        ),
        (
            b"<IMSSubscription><PrivateID>a</PrivateID><ServiceProfile><PublicIdentity/></ServiceProfile></IMSSubscription>",
            "PublicIdentity .*has no Identity",
        ),
        (b"<subscription/>", "expected IMSSubscription"),
    ],
)
def test_a_profile_without_identities_is_refused(data: bytes, text: str) -> None:
    with pytest.raises(XmlError, match=text):
        from_xml(data)
