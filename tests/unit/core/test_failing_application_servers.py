"""Application servers that fail, and those that pass a request on (TS 24.229 5.4.3)."""

import pytest
from requests_to_route import OTHER, POC, register, settings, with_profile

from talkburst.sip.message import Request

TERMINATED = "<DefaultHandling>1</DefaultHandling>"
CONTINUED = "<DefaultHandling>0</DefaultHandling>"
SECOND = f"""<InitialFilterCriteria>
      <Priority>2</Priority>
      <TriggerPoint><ConditionTypeCNF>1</ConditionTypeCNF>
        <SPT><Group>0</Group><Method>SUBSCRIBE</Method></SPT><SPT><Group>1</Group><SessionCase>0</SessionCase></SPT>
      </TriggerPoint>
      <ApplicationServer><ServerName>sip:other.ims.example</ServerName>{TERMINATED}</ApplicationServer>
    </InitialFilterCriteria>
  </ServiceProfile>"""


def test_silent_server_ends_the_request_with_504_in_time(registered) -> None:
    settings(registered)
    answers = [each for each in registered.advance(40) if not isinstance(each.message, Request)]
    assert [(each.line, each.at) for each in answers] == [
        ("SIP/2.0 100 Trying", 3.5),
        ("SIP/2.0 504 sip:poc.ims.example does not answer", 5.0),
    ]
    assert registered.reasons(
        "sip:poc.ims.example failed for SUBSCRIBE: no answer, DefaultHandling is SESSION_TERMINATED"
    )


def test_refused_connection_is_500(registered) -> None:
    settings(registered)
    (answer,) = registered.refuse(POC)
    assert answer.line.startswith("SIP/2.0 500 ")
    assert registered.reasons("failed for SUBSCRIBE: unreachable, DefaultHandling is SESSION_TERMINATED")


def test_server_error_is_passed_on_with_default_handling_1(registered) -> None:
    (answer,) = registered.answer(settings(registered)[0], "500 Broken")
    assert answer.line == "SIP/2.0 500 Broken"


@pytest.mark.parametrize("end", ["silence", "503 Service Unavailable", "refused"])
def test_with_default_handling_0_the_next_server_is_asked(make_bench, end: str) -> None:
    files = with_profile((TERMINATED, CONTINUED), ("</ServiceProfile>", SECOND))
    bench = register(make_bench(files))
    (first,) = settings(bench)
    if end == "silence":
        sent = [each for each in bench.advance(5) if each.to == OTHER]
    else:
        sent = bench.refuse(POC) if end == "refused" else bench.answer(first, end)
    (second,) = sent
    assert second.message.values("Route")[0] == "<sip:other.ims.example;lr>"
    assert second.header("Max-Forwards") == "69"
    assert bench.reasons("DefaultHandling is SESSION_CONTINUED")
    (answer,) = bench.answer(second, "200 OK")
    assert answer.line == "SIP/2.0 200 OK"
    assert bench.answer(first, "200 OK") == []


def test_server_that_passes_the_request_on_brings_it_to_the_next_one(make_bench) -> None:
    bench = register(make_bench(with_profile(("</ServiceProfile>", SECOND))))
    (first,) = settings(bench)
    back = first.message.values("Route")[1]
    vias = "\n".join(f"Via: {value}" for value in first.message.get_all("Via"))
    (second,) = bench.server(f"""
        SUBSCRIBE sip:alice@ims.example SIP/2.0
        Via: SIP/2.0/UDP 127.0.0.2:5070;branch=z9hG4bKpoc
        {vias}
        Route: {back}
        P-Asserted-Identity: <sip:alice@ims.example>
        From: <sip:alice@ims.example>;tag=w
        To: <sip:alice@ims.example>
        Call-ID: watch
        CSeq: 1 SUBSCRIBE
        Event: poc-settings
        Contact: <sip:127.0.0.1:5090>
    """)
    assert second.to == OTHER
    assert bench.reasons("SUBSCRIBE to sip:other.ims.example: criterion 2")


def test_server_may_originate_for_a_user(registered) -> None:
    (sent,) = registered.server(
        """
        PUBLISH sip:alice@ims.example SIP/2.0
        Route: <sip:orig@127.0.0.1:5054;lr>
        P-Asserted-Identity: <sip:alice@ims.example>
        From: <sip:alice@ims.example>;tag=w
        To: <sip:alice@ims.example>
        Call-ID: behalf
        CSeq: 1 PUBLISH
        Event: poc-settings
    """,
        OTHER,
    )
    assert sent.message.values("Route")[0] == "<sip:poc.ims.example;lr>"


@pytest.mark.parametrize("mark", ["odi-", "odi-0-0-zz", "odi-9-0-00", "odi-0-0-00", "odi--1-0-00"])
def test_nonsense_in_a_route_of_ours_does_no_harm(registered, mark: str) -> None:
    (sent,) = registered.server(f"""
        MESSAGE sip:alice@ims.example SIP/2.0
        Route: <sip:{mark}@127.0.0.1:5054;lr>
        From: <sip:x@poc.ims.example>;tag=w
        To: <sip:alice@ims.example>
        Call-ID: odd
        CSeq: 1 MESSAGE
    """)
    assert sent.line == "MESSAGE sip:alice@127.0.0.1:5090 SIP/2.0"
