"""A key stands for several parts: two are the same only if every part is."""

from itertools import product

import pytest

from talkburst.sip.message import Request
from talkburst.sip.transaction.key import client_key, invite_key, key_of, server_key

PARTS = (("z9hg4bka", "z9hg4bka b", "a 1 INVITE 7"), ("b", "192.0.2.9"), (1, 5060), ("INVITE", "INFO"), (1, 7, 17))


def request(method: str, via: str, cseq: str) -> Request:
    headers = [("Via", via), ("From", "<sip:a@ims.example>;tag=1"), ("To", "<sip:b@ims.example>"), ("Call-ID", "c")]
    return Request(method, "sip:b@ims.example", [*headers, ("CSeq", cseq)])


def test_requests_that_differ_in_any_part_have_different_keys() -> None:
    keys = [key_of(*parts) for parts in product(*PARTS)]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("host", ["bob.example", "192.0.2.9", "[2001:db8::1]"])
@pytest.mark.parametrize("branch", ["z9hG4bKx", "none-of-ours"])
def test_cancel_and_ack_find_their_invite(host: str, branch: str) -> None:
    via = f"SIP/2.0/UDP {host};branch={branch}"
    invite, ack, cancel = (server_key(request(method, via, f"7 {method}")) for method in ("INVITE", "ACK", "CANCEL"))
    assert ack == invite != cancel
    assert invite_key(cancel) == invite


def test_a_branch_that_is_quoted_is_no_way_into_the_transaction_of_another() -> None:
    """`client` could name branch and method of somebody else in one branch, were the parts not told apart."""
    victim = request("INFO", "SIP/2.0/UDP b;branch=z9hG4bKa", "1 INFO")
    for branch in ('"z9hG4bKa b 5060 INFO 1"', '"z9hG4bKa b"', '"z9hG4bKa b 5060"'):
        other = request("INFO", f"SIP/2.0/UDP b;branch={branch}", "1 INFO")
        assert server_key(other) != server_key(victim)
        assert client_key(other) != client_key(victim)
