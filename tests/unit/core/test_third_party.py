"""Third-party REGISTER: who is told what, and what follows when they do not answer (TS 24.229 5.4.1.7)."""

import pytest

from talkburst_core.daemon import world
from talkburst_core.registration_update import Limits

DAVE = "001010000000004@ims.mnc001.mcc001.3gppnetwork.org"
OTHER = ("127.0.0.3", 5070)


def profile(*changes: tuple[str, str]) -> dict[str, str]:
    """The demo profile of bob with something else in it."""
    text = (world() / "profiles" / "bob.xml").read_text("utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return {"bob.xml": text}


ONE_MORE = """<InitialFilterCriteria>
      <Priority>{priority}</Priority>{trigger}
      <ApplicationServer><ServerName>{server}</ServerName>{more}</ApplicationServer>
    </InitialFilterCriteria>
  </ServiceProfile>"""


def with_criterion(priority: int = 5, server: str = "sip:other.ims.example", trigger: str = "", more: str = ""):
    written = ONE_MORE.format(priority=priority, server=server, trigger=trigger, more=more)
    return profile(("</ServiceProfile>", written))


def test_application_server_is_told_of_the_user_but_not_by_the_user(bench) -> None:
    told = bench.register().to_servers[0]
    assert told.to == ("127.0.0.2", 5070)
    head = told.text.split("\r\n")
    assert head[0] == "REGISTER sip:poc.ims.example SIP/2.0"
    assert told.header("From").startswith("<sip:scscf.ims.example>;tag=")
    assert told.header("To") == "<sip:alice@ims.example>"
    assert told.header("Contact") == "<sip:127.0.0.1:5054>"
    assert told.header("Expires") == "3600"
    assert told.header("CSeq") == "1 REGISTER"
    assert told.header("Max-Forwards") == "70"
    assert told.header("P-Charging-Vector").startswith("icid-value=")
    assert told.header("Content-Length") == "0"
    for name in ("Path", "Record-Route", "Authorization", "Event", "Route"):
        assert told.header(name) is None
    assert bench.reasons("third-party REGISTER to sip:poc.ims.example: criterion 0: method is REGISTER; Contact has")


def test_decision_names_the_criteria_that_did_not_match(bench) -> None:
    bench.register()
    (facts,) = [facts for what, facts in bench.decisions if what.startswith("third-party REGISTER to")]
    assert str(facts["unmatched"]).startswith("criterion 1, group 0: method is REGISTER, not SUBSCRIBE")


def test_access_network_is_passed_on(bench) -> None:
    told = bench.register(headers="P-Access-Network-Info: 3GPP-E-UTRAN-FDD\nP-Visited-Network-ID: v\n").to_servers[0]
    assert told.header("P-Access-Network-Info") == "3GPP-E-UTRAN-FDD"
    assert told.header("P-Visited-Network-ID") == "v"


def test_client_without_the_tag_is_not_told_of_and_the_log_says_why(bench) -> None:
    sent = bench.register(contact="<sip:alice@127.0.0.1:5090>")
    assert sent.lines == ["SIP/2.0 200 OK"]
    (what,) = bench.reasons("no third-party REGISTER")
    assert what == (
        "no third-party REGISTER: criterion 0, group 1: Contact has no +g.poc.talkburst | criterion 1, group 0: "
        "method is REGISTER, not SUBSCRIBE; method is REGISTER, not PUBLISH"
    )


def test_deleted_criterion_is_named_as_what_is_missing(make_bench) -> None:
    text = profile()["bob.xml"]
    head, _, tail = text.partition("<!-- REGISTER")
    bench = make_bench({"bob.xml": head + tail[tail.index("<!-- PoC settings") :]})
    assert bench.register("bob").lines == ["SIP/2.0 200 OK"]
    assert bench.reasons("no third-party REGISTER: criterion 1, group 0: method is REGISTER, not SUBSCRIBE")


def test_profile_without_criteria_says_so(make_bench) -> None:
    text = profile()["bob.xml"]
    text = text[: text.index("<!-- REGISTER")] + "</ServiceProfile></IMSSubscription>"
    bench = make_bench({"bob.xml": text})
    bench.register("bob")
    assert bench.reasons("no third-party REGISTER: the profile has no criteria")


def test_barred_identity_never_stands_in_to(bench) -> None:
    told = bench.register("dave", private_id=DAVE, aor=f"sip:{DAVE}").to_servers[0]
    assert told.header("To") == "<sip:dave@ims.example>"


def test_every_matching_server_is_told(make_bench) -> None:
    bench = make_bench(with_criterion())
    told = bench.register("bob").to_servers
    assert [each.line for each in told] == [
        "REGISTER sip:poc.ims.example SIP/2.0",
        "REGISTER sip:other.ims.example SIP/2.0",
    ]
    assert told[0].message.call_id != told[1].message.call_id


def test_server_that_two_criteria_name_is_told_once(make_bench) -> None:
    bench = make_bench(with_criterion(server="sip:poc.ims.example"))
    assert len(bench.register("bob").to_servers) == 1


def test_re_registration_is_told_in_the_same_call_with_the_next_cseq(registered) -> None:
    first = next(each for each in registered.sent if each.listener == "servers")
    again = registered.register(cseq=10).to_servers[0]
    assert again.header("CSeq") == "2 REGISTER"
    assert again.message.call_id == first.message.call_id


@pytest.mark.parametrize("contact", ["*", "<sip:alice@127.0.0.1:5090>"])
def test_de_registration_without_any_tag_is_told(registered, contact: str) -> None:
    told = registered.register(contact=contact, expires=0, cseq=10).to_servers[0]
    assert told.header("Expires") == "0"
    assert told.header("To") == "<sip:alice@ims.example>"
    assert registered.reasons("third-party REGISTER", "the server was told of the registration")
    registered.answer(told, "200 OK")
    assert not registered.core.third_party.told(registered.subscribers.by_private_id("alice@ims.example"))


def test_expiry_is_told(registered) -> None:
    sent = registered.advance(3601)
    told = [each for each in sent.to_servers if each.line.startswith("REGISTER")]
    assert [each.header("Expires") for each in told[:1]] == ["0"]
    assert told[0].header("P-Charging-Vector").startswith("icid-value=")


def test_one_of_two_devices_that_leaves_is_no_de_registration(registered) -> None:
    sent = registered.register("alice", private_id="alice-2@ims.example", source=("127.0.0.1", 5091), cseq=1)
    registered.answer(sent.to_servers[0], "200 OK")
    sent = registered.register(expires=0, cseq=20)
    assert sent.to_servers == []


def test_registration_types_of_a_criterion_decide_what_is_told(make_bench) -> None:
    trigger = (
        "<TriggerPoint><ConditionTypeCNF>1</ConditionTypeCNF><SPT><Group>0</Group><Method>REGISTER</Method>"
        "<Extension><RegistrationType>{}</RegistrationType></Extension></SPT></TriggerPoint>"
    )
    for kind, told in ((0, [True, False, False]), (1, [False, True, False]), (2, [False, False, True])):
        bench = make_bench(with_criterion(trigger=trigger.format(kind)))
        seen = []
        for step, expires in enumerate((3600, 3600, 0)):
            sent = bench.register("bob", cseq=10 * step + 1, expires=expires).to_servers
            seen.append(any("other.ims.example" in each.line for each in sent))
            for each in sent:
                bench.answer(each, "200 OK")
        assert seen == told, kind


def test_requests_about_one_user_go_to_a_server_one_by_one(bench) -> None:
    first = bench.register().to_servers[0]
    assert bench.register(cseq=10).to_servers == []
    assert bench.register(cseq=20, expires=0).to_servers == []
    (last,) = bench.answer(first, "200 OK").to_servers
    assert last.header("CSeq") == "3 REGISTER"
    assert last.header("Expires") == "0"


# Bodies


SERVICE_INFO = "<DefaultHandling>0</DefaultHandling><ServiceInfo>A &lt; B &amp;amp; C</ServiceInfo>"
INCLUDE_REQUEST = "<Extension><IncludeRegisterRequest/></Extension>"
INCLUDE_BOTH = "<Extension><IncludeRegisterRequest/><IncludeRegisterResponse/></Extension>"


def test_service_info_is_carried_in_its_envelope(make_bench) -> None:
    bench = make_bench(with_criterion(more=SERVICE_INFO))
    told = bench.register("bob").to_servers[1]
    assert told.header("Content-Type") == "application/3gpp-ims+xml"
    assert told.message.body.decode() == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<ims-3gpp version="1"><service-info>A &lt; B &amp;amp; C</service-info></ims-3gpp>\n'
    )
    bench.answer(told, "200 OK")
    farewell = [each for each in bench.register("bob", cseq=9, expires=0).to_servers if "other" in each.line]
    assert farewell[0].message.body == b""


def test_single_part_goes_bare(make_bench) -> None:
    bench = make_bench(with_criterion(more=INCLUDE_REQUEST))
    told = bench.register("bob").to_servers[1]
    assert told.header("Content-Type") == "message/sip"
    assert told.message.body.startswith(b"REGISTER sip:ims.example SIP/2.0\r\n")
    assert b"Contact: <sip:bob@127.0.0.1:5090>;+g.poc.talkburst\r\n" in told.message.body


def test_several_parts_go_in_multipart(make_bench) -> None:
    bench = make_bench(with_criterion(more=SERVICE_INFO + INCLUDE_BOTH))
    told = bench.register("bob").to_servers[1]
    kind, _, boundary = told.header("Content-Type").partition(";boundary=")
    assert kind == "multipart/mixed"
    parts = told.message.body.decode().split("--" + boundary.strip('"'))
    assert parts[0] == ""
    assert parts[-1] == "--\r\n"
    assert [part.partition("\r\n\r\n")[0].strip() for part in parts[1:-1]] == [
        "Content-Type: application/3gpp-ims+xml",
        "Content-Type: message/sip",
        "Content-Type: message/sip",
    ]
    assert "SIP/2.0 200 OK\r\n" in parts[3]


# Failure


def test_dead_server_with_default_handling_0_changes_nothing_for_the_user(bench) -> None:
    bench.register()
    bench.advance(33)
    assert bench.core.registrar.registration("sip:alice@ims.example").active
    assert bench.reasons("third-party REGISTER to sip:poc.ims.example failed: no answer", "SESSION_CONTINUED")


@pytest.mark.parametrize("end", ["silence", "503 Service Unavailable", "refused"])
def test_dead_server_with_default_handling_1_ends_the_registration(make_bench, end: str) -> None:
    bench = make_bench(with_criterion(more="<DefaultHandling>1</DefaultHandling>"))
    poc, other = bench.register("bob").to_servers
    bench.answer(poc, "200 OK")
    if end == "silence":
        sent = bench.advance(33)
    else:
        sent = bench.refuse(OTHER) if end == "refused" else bench.answer(other, end)
    assert not bench.core.registrar.registration("sip:bob@ims.example").active
    farewells = [each for each in sent.to_servers if each.header("Expires") == "0"]
    assert {each.line for each in farewells} == {
        "REGISTER sip:poc.ims.example SIP/2.0",
        "REGISTER sip:other.ims.example SIP/2.0",
    }
    assert bench.reasons("user is de-registered: sip:other.ims.example failed")


def test_refusal_of_a_server_ends_nothing(make_bench) -> None:
    bench = make_bench(with_criterion(more="<DefaultHandling>1</DefaultHandling>"))
    other = bench.register("bob").to_servers[1]
    bench.answer(other, "403 Forbidden")
    assert bench.core.registrar.registration("sip:bob@ims.example").active
    assert list(bench.core.third_party.told(bench.subscribers.by_private_id("bob@ims.example"))) == [
        "sip:poc.ims.example"
    ]


def test_server_that_starts_late_is_told_again_with_the_time_that_is_left(bench) -> None:
    first = bench.register().to_servers[0]
    bench.refuse(first.to)
    (again,) = bench.advance(0.5).to_servers
    assert again.line == first.line
    assert again.header("Call-ID") == first.header("Call-ID")
    assert again.header("CSeq") == "2 REGISTER"
    bench.answer(again, "503 Service Unavailable")
    (third,) = bench.advance(1.0).to_servers
    assert (third.header("CSeq"), third.header("Expires")) == ("3 REGISTER", "3598")
    bench.answer(third, "200 OK")
    assert bench.advance(300).to_servers == []


@pytest.mark.parametrize(
    ("asked", "seconds"), [("60", 60.0), ("86400", 3600.0), ("9" * 400, 3600.0), ("later", 0.5), ("-60", 0.5)]
)
def test_server_that_is_overloaded_is_told_again_when_it_says_and_within_the_hour(
    make_bench, asked: str, seconds: float
) -> None:
    bench = make_bench(limits=Limits(longest=7200))
    first = bench.register(expires=7200).to_servers[0]
    bench.answer(first, "503 Service Unavailable", f"Retry-After: {asked}")
    assert bench.advance(seconds - 0.1).to_servers == []
    assert [sent.header("CSeq") for sent in bench.advance(0.2).to_servers] == ["2 REGISTER"]


def test_server_that_is_told_of_the_end_hears_nothing_of_the_registration_any_more(bench) -> None:
    told = bench.register().to_servers[0]
    bench.refuse(told.to)
    bench.register(expires=0, cseq=3)
    later = [sent.header("Expires") for sent in bench.advance(100).to_servers if sent.line.startswith("REGISTER")]
    assert set(later) == {"0"}


def test_server_that_has_not_answered_does_not_count_as_told(bench) -> None:
    def unanswered() -> bool:
        alice = bench.subscribers.by_private_id("alice@ims.example")
        return bench.core.third_party.told(alice)["sip:poc.ims.example"].unanswered

    first = bench.register().to_servers[0]
    assert unanswered()
    bench.refuse(first.to)
    assert unanswered()
    bench.answer(bench.advance(0.5).to_servers[0], "200 OK")
    assert not unanswered()


def test_server_that_is_away_when_the_user_leaves_is_told_when_it_is_back(bench) -> None:
    bench.answer(bench.register().to_servers[0], "200 OK")
    (farewell,) = bench.register(expires=0, cseq=3).to_servers
    bench.refuse(farewell.to)
    (again,) = bench.advance(0.5).to_servers
    assert (again.header("Expires"), again.header("CSeq")) == ("0", "3 REGISTER")
    bench.refuse(again.to)
    later, news = bench.restarted(after=600)
    (third,) = news.to_servers
    assert (third.header("Expires"), third.header("CSeq")) == ("0", "4 REGISTER")
    assert third.header("Call-ID") == farewell.header("Call-ID")
    later.answer(third, "200 OK")
    assert later.advance(4000).to_servers == []
    assert later.tables["told"] == {}


def test_server_that_stays_away_is_told_of_an_end_until_the_registration_would_have_been_over(bench) -> None:
    began = bench.now
    bench.answer(bench.register(expires=600).to_servers[0], "200 OK")
    bench.refuse(bench.register(expires=0, cseq=3).to_servers[0].to)
    attempts = 0
    while (news := bench.advance(120).to_servers) != []:
        assert {sent.header("Expires") for sent in news} == {"0"}
        attempts += 1
        bench.refuse(news[-1].to)
    assert attempts >= 3
    assert bench.now <= began + 600 + 120
    assert bench.tables["told"] == {}


def test_user_who_comes_back_before_the_server_does_is_announced_and_not_bidden_farewell(bench) -> None:
    bench.answer(bench.register().to_servers[0], "200 OK")
    bench.refuse(bench.register(expires=0, cseq=3).to_servers[0].to)
    (welcome,) = bench.register(cseq=5).to_servers
    assert welcome.header("Expires") == "3600"
    bench.answer(welcome, "200 OK")
    assert bench.advance(300).to_servers == []
