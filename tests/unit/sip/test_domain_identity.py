"""What a certificate proves, and what only looks like it (RFC 5922 7.1 and 7.2)."""

import pytest

from talkburst.sip.domain_identity import domain_identities, identity_of
from talkburst.sip.next_hop import Hosts, target_of
from talkburst.sip.uri import parse_uri

PROVED = {
    "a name, in whatever case": (("DNS", "IMS.Example"), "ims.example"),
    "a domain in a URI, with a dot at its end": (("URI", "SIP:IMS.Example."), "ims.example"),
    "an address, however it is written": (("IP Address", "0:0:0:0:0:0:0:1"), "::1"),
}
PROVES_NOTHING = {
    "an empty name": ("DNS", ""),
    "a name that ends in NUL and something else": ("DNS", "ims.example\0.evil.example"),
    "a letter that is another one in lower case": ("DNS", "\N{KELVIN SIGN}ims.example"),
    "a number for a name": ("DNS", "127.0.0.1"),
    "a SIPS URI": ("URI", "sips:ims.example"),
    "a user": ("URI", "sip:bob@ims.example"),
    "a wildcard in a URI": ("URI", "sip:*.example"),
    "an address that is none": ("IP Address", "<invalid>"),
}


@pytest.mark.parametrize("case", PROVED)
def test_name_is_proved(case: str) -> None:
    name, host = PROVED[case]
    assert identity_of(host) in domain_identities([name])


@pytest.mark.parametrize("case", PROVES_NOTHING)
def test_what_is_no_name_proves_nothing(case: str) -> None:
    assert domain_identities([PROVES_NOTHING[case]]) == frozenset()


@pytest.mark.parametrize("maddr", ["*.example", "a%00b", "b.example:5060", "k%e2%84%aa", "[::1"])
def test_maddr_that_is_no_host_leads_nowhere_and_so_equals_no_wildcard(maddr: str) -> None:
    assert target_of(parse_uri(f"sips:ims.example;maddr={maddr}"), Hosts({})) is None


@pytest.mark.parametrize("maddr", ["B.example", "b_c.example.", "192.0.2.1", "[2001:db8::1]"])
def test_maddr_that_is_a_host_is_called_instead(maddr: str) -> None:
    target = target_of(parse_uri(f"sips:ims.example;maddr={maddr}"), Hosts({}))
    assert target is not None
    assert target.domain == identity_of(maddr)
