from typing import Any

import pytest

from talkburst.sip.message import Request
from talkburst.sip.transaction.server import ServerTransaction
from talkburst.sip.uas import Uas
from talkburst.sip.uri import SipUri

OURS = ("192.0.2.1", 5060)

HEADERS = """
    Via: SIP/2.0/UDP 192.0.2.9:5090;branch=z9hG4bK{branch};rport
    From: <sip:alice@ims.example>;tag=a1
    To: {to}
    Call-ID: {call}
    CSeq: {cseq} {method}
"""


class Bench:
    def __init__(self, net: Any, **options: Any) -> None:
        self.net = net
        engine = self.engine = net.engine(OURS)
        self.taken: list[Request] = []
        self.uas = Uas(
            engine,
            net.token,
            methods={"MESSAGE": self.take},
            allow_events=["reg"],
            accept=["text/plain"],
            supported=["path"],
            software="talkburst/test",
            **options,
        )
        engine.user = self.uas

    def take(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        self.taken.append(request)
        self.uas.reply(transaction, 200, now)

    def ask(
        self, method: str, *headers: str, uri: str = "sip:bob@ims.example", body: bytes = b"", **parts: str
    ) -> list[str]:
        """Sends a request and returns its answer, line by line."""
        values = {"branch": "1", "call": "c1", "cseq": "1", "method": method, "to": "<sip:bob@ims.example>", **parts}
        text = f"    {method} {uri} SIP/2.0{HEADERS.format(**values)}" + "".join(f"    {line}\n" for line in headers)
        self.net.inject(text, OURS, body)
        mail = self.net.take_mail()
        return mail[-1].to_bytes().decode().splitlines() if mail else []


@pytest.fixture
def bench(net: Any) -> Bench:
    return Bench(net)


def test_options_tells_what_we_can_do(bench: Bench) -> None:
    assert bench.ask("OPTIONS") == [
        "SIP/2.0 200 OK",
        "Via: SIP/2.0/UDP 192.0.2.9:5090;branch=z9hG4bK1;rport=5090;received=192.0.2.9",
        "From: <sip:alice@ims.example>;tag=a1",
        "To: <sip:bob@ims.example>;tag=t1",
        "Call-ID: c1",
        "CSeq: 1 OPTIONS",
        "Allow: CANCEL, MESSAGE, OPTIONS",
        "Accept: text/plain",
        "Accept-Encoding: identity",
        "Supported: path",
        "Allow-Events: reg",
        "Server: talkburst/test",
        "Content-Length: 0",
        "",
    ]


def test_options_with_a_body_of_another_type_gets_415_with_accept(bench: Bench) -> None:
    answer = bench.ask("OPTIONS", "Content-Type: application/nobody-knows", body=b"<audio/>")
    assert answer[0] == "SIP/2.0 415 Unsupported Media Type"
    assert "Accept: text/plain" in answer


def test_options_with_a_body_that_is_understood_or_none_is_answered(bench: Bench) -> None:
    assert bench.ask("OPTIONS", "Content-Type: text/plain", body=b"hello")[0] == "SIP/2.0 200 OK"
    assert bench.ask("OPTIONS", "Content-Type: x/y", branch="2", call="c2")[0] == "SIP/2.0 200 OK"


def test_a_served_method_reaches_its_handler(bench: Bench) -> None:
    assert bench.ask("MESSAGE")[0] == "SIP/2.0 200 OK"
    assert [request.method for request in bench.taken] == ["MESSAGE"]


def test_a_method_can_be_served_later(bench: Bench) -> None:
    bench.uas.serve("INFO", bench.take)
    assert bench.ask("INFO")[0] == "SIP/2.0 200 OK"
    assert "Allow: CANCEL, INFO, MESSAGE, OPTIONS" in bench.ask("PUBLISH", branch="2", cseq="2")


def test_a_known_method_that_is_not_served_gets_405_with_allow(bench: Bench) -> None:
    answer = bench.ask("REFER")
    assert answer[0] == "SIP/2.0 405 Method Not Allowed"
    assert "Allow: CANCEL, MESSAGE, OPTIONS" in answer


@pytest.mark.parametrize("tag", ["", ";tag=gone"])
def test_a_bye_that_belongs_to_no_dialog_gets_481(bench: Bench, tag: str) -> None:
    """RFC 3261 15.1.2. SIPp ends with one what went another way than its scenario."""
    assert bench.ask("BYE", to=f"<sip:bob@ims.example>{tag}")[0] == "SIP/2.0 481 Call/Transaction Does Not Exist"


def test_an_unknown_method_gets_501_with_allow(bench: Bench) -> None:
    answer = bench.ask("TELEPORT")
    assert answer[0] == "SIP/2.0 501 Not Implemented"
    assert "Allow: CANCEL, MESSAGE, OPTIONS" in answer


def test_the_method_is_judged_before_the_request_uri(bench: Bench) -> None:
    assert bench.ask("REFER", uri="ldap:x")[0] == "SIP/2.0 405 Method Not Allowed"
    assert bench.ask("MESSAGE", uri="ldap:x", branch="2")[0] == "SIP/2.0 416 Unsupported URI Scheme"


def test_a_request_uri_that_is_not_ours_gets_404(net: Any) -> None:
    bench = Bench(net, is_ours=lambda uri: isinstance(uri, SipUri) and uri.host == "ims.example")
    assert bench.ask("MESSAGE", uri="sip:bob@elsewhere.example")[0] == "SIP/2.0 404 Not Found"
    assert bench.ask("MESSAGE", branch="2", cseq="2")[0] == "SIP/2.0 200 OK"


def test_an_extension_that_is_required_and_unknown_gets_420_with_its_name(bench: Bench) -> None:
    answer = bench.ask("MESSAGE", "Require: path, 100rel", "Require: foo")
    assert answer[0] == "SIP/2.0 420 Bad Extension"
    assert "Unsupported: 100rel, foo" in answer
    assert bench.taken == []


def test_a_required_extension_that_we_have_is_no_obstacle(bench: Bench) -> None:
    assert bench.ask("MESSAGE", "Require: path")[0] == "SIP/2.0 200 OK"


def test_an_encoded_body_gets_415_with_what_is_accepted(bench: Bench) -> None:
    answer = bench.ask("MESSAGE", "Content-Type: text/plain", "Content-Encoding: gzip", body=b"\x1f\x8b")
    assert answer[0] == "SIP/2.0 415 Unsupported Media Type"
    assert "Accept-Encoding: identity" in answer


def test_the_same_request_over_another_path_gets_482(bench: Bench) -> None:
    assert bench.ask("MESSAGE")[0] == "SIP/2.0 200 OK"
    assert bench.ask("MESSAGE", branch="2")[0] == "SIP/2.0 482 Merged Request"
    assert len(bench.taken) == 1


def test_a_repetition_under_the_next_cseq_is_no_merged_request(bench: Bench) -> None:
    assert bench.ask("MESSAGE")[0] == "SIP/2.0 200 OK"
    assert bench.ask("MESSAGE", branch="2", cseq="2")[0] == "SIP/2.0 200 OK"


def test_merged_requests_are_told_for_the_life_of_a_transaction_and_then_forgotten(bench: Bench) -> None:
    bench.net.run(100)
    assert bench.ask("MESSAGE")[0] == "SIP/2.0 200 OK"
    bench.net.run(31)
    assert bench.ask("MESSAGE", branch="2")[0] == "SIP/2.0 482 Merged Request"
    bench.net.run(64)
    assert bench.ask("MESSAGE", branch="3")[0] == "SIP/2.0 200 OK"


def test_a_request_in_a_dialog_is_never_a_merged_one(bench: Bench) -> None:
    bench.uas.serve("NOTIFY", bench.take)
    for branch in "12":
        answer = bench.ask("NOTIFY", branch=branch, to="<sip:bob@ims.example>;tag=b1")
        assert answer[0] == "SIP/2.0 200 OK"


def test_options_within_a_dialog_gets_481(bench: Bench) -> None:
    answer = bench.ask("OPTIONS", to="<sip:bob@ims.example>;tag=b1")
    assert answer[0] == "SIP/2.0 481 Call/Transaction Does Not Exist"
    assert "To: <sip:bob@ims.example>;tag=b1" in answer


@pytest.mark.parametrize(
    ("header", "answer"),
    [
        ("Max-Forwards: many", "SIP/2.0 400 "),
        ("Event: ;;", "SIP/2.0 400 "),
        ("Contact: <sip:unclosed", "SIP/2.0 400 "),
        ("Date: some day", "SIP/2.0 200 OK"),
    ],
)
def test_a_broken_header_that_matters_gets_400(bench: Bench, header: str, answer: str) -> None:
    assert bench.ask("MESSAGE", header)[0].startswith(answer)


def test_a_handler_may_stumble_over_a_broken_header(bench: Bench) -> None:
    bench.uas.serve("PUBLISH", lambda transaction, request, now: range(request.expires or 0))
    assert bench.ask("PUBLISH", "Expires: soon")[0].startswith("SIP/2.0 400 ")


def test_a_provisional_and_the_final_answer_have_the_same_to_tag(bench: Bench) -> None:
    transactions: list[ServerTransaction] = []
    bench.uas.serve("INVITE", lambda transaction, request, now: transactions.append(transaction))
    bench.ask("INVITE")
    bench.uas.reply(transactions[0], 180, bench.net.now)
    bench.uas.reply(transactions[0], 486, bench.net.now)
    bench.net.run(0.1)
    tags = {message.to.tag for message in bench.net.take_mail() if message.start_line != "SIP/2.0 100 Trying"}
    assert len(tags) == 1
    assert None not in tags


def test_a_cancelled_invite_ends_with_487(bench: Bench) -> None:
    bench.uas.serve("INVITE", lambda transaction, request, now: None)
    bench.ask("INVITE")
    bench.ask("CANCEL")
    assert bench.net.sent("487")[0].cseq.method == "INVITE"


def test_a_stray_ack_has_no_answer(bench: Bench) -> None:
    assert bench.ask("ACK") == []


def test_an_invite_that_nobody_serves_is_refused_once_and_not_kept(bench: Bench) -> None:
    """RFC 3261 26.3.2.4: its source may be forged, and the victim is not to hear of it eleven times."""
    first = bench.ask("INVITE")
    assert first[0] == "SIP/2.0 405 Method Not Allowed"
    assert bench.engine.servers == {}
    assert bench.ask("INVITE") == first
