"""Whom a listener believes."""

import pytest

from talkburst.daemon.trust import Trust

HOSTS = {"Core.example": "192.0.2.7:5054;transport=tcp", "six": "[2001:db8::7]:5060", "alias": "core.example:5060"}


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("10.0.0.0/8", "10.255.1.2"),
        ("10.1.2.3/8", "10.255.1.2"),
        ("::1", "::1"),
        ("2001:db8::/32", "2001:db8:ffff::1"),
        ("fe80::/10", "fe80::1%eth0"),
        ("127.0.0.1", "::ffff:127.0.0.1"),
        ("core.EXAMPLE", "192.0.2.7"),
        ("six", "2001:db8::7"),
        ("six", "[2001:db8::7]"),
    ],
)
def test_address_network_and_name_are_believed(peer, address):
    assert address in Trust([peer], HOSTS)


@pytest.mark.parametrize("address", ["127.0.0.2", "::2", "11.0.0.1", "2001:db8::1"])
def test_everybody_else_is_not(address):
    assert address not in Trust(["127.0.0.1", "10.0.0.0/8", "::1"], {})


@pytest.mark.parametrize("peer", ["core.elsewhere", "alias"])
def test_name_without_an_address_is_an_error_that_names_it(peer):
    with pytest.raises(ValueError, match=peer):
        Trust([peer], HOSTS)
