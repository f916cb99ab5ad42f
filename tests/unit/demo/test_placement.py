"""Who takes the place of which daemon, as the command line says it."""

import pytest

from talkburst.demo.placement import External, PlacementError, placement


def test_without_options_everything_is_ours_on_free_loopback_ports():
    placed = placement("127.0.0.1", [], [])
    assert placed.external == {}
    assert placed.trusted == ["127.0.0.1"]
    assert placed.port_choices("core") == (0,)


@pytest.mark.parametrize(
    ("option", "peer"),
    [
        ("client", External("client")),
        ("client=127.0.0.9", External("client", "127.0.0.9", 0, ("127.0.0.9",))),
        ("server", External("server", "127.0.0.1", 5070, ("127.0.0.1",))),
        ("server=127.0.0.2:5072", External("server", "127.0.0.2", 5072, ("127.0.0.2",))),
        ("core", External("core", "127.0.0.1", 5060, ("127.0.0.1",), 5054)),
        ("core=127.0.0.2:4060", External("core", "127.0.0.2", 4060, ("127.0.0.2",), 4060)),
        ("core=127.0.0.2", External("core", "127.0.0.2", 5060, ("127.0.0.2",), 5060)),
        ("xdms=127.0.0.2:8088", External("xdms", "127.0.0.2", 8088, ("127.0.0.2",))),
        ("xdms=http://127.0.0.2/services/", External("xdms", "127.0.0.2", 80, ("127.0.0.2",), root="/services")),
    ],
)
def test_what_is_not_said_is_its_place_in_the_demo_world(option, peer):
    assert placement("127.0.0.1", [], [option]).external == {peer.role: peer}


def test_a_core_has_two_ends_and_a_client_from_anywhere_none():
    external = placement("127.0.0.1", [], ["core", "client"]).external
    assert external["core"].ends == [("127.0.0.1", 5060), ("127.0.0.1", 5054)]
    assert external["client"].ends == []


def test_only_what_was_named_is_trusted_beside_our_own_address():
    options = ["server=192.0.2.7:5070", "client=192.0.2.8", "xdms=192.0.2.9:80"]
    assert placement("192.0.2.1", [], options).trusted == ["192.0.2.1", "192.0.2.7"]
    assert placement("192.0.2.1", [], ["core=192.0.2.6"]).trusted == ["192.0.2.1", "192.0.2.6"]


def test_peers_from_outside_find_our_daemons_at_ports_that_they_know():
    placed = placement("127.0.0.1", ["server=6070", "xdms=0"], ["client"])
    assert placed.port_choices("core") == (5060, 0)
    assert placed.port_choices("core-servers") == (5054, 0)
    assert placed.port_choices("server") == (6070,)
    assert placed.port_choices("xdms") == (0,)
    assert placed.port_choices("client") == (0,)


def test_any_free_port_may_be_asked_for_more_than_once():
    assert placement("127.0.0.1", ["core=0", "server=0"], []).ports == {"core": 0, "server": 0}


def test_of_two_ports_for_one_listener_the_later_counts():
    assert placement("127.0.0.1", ["core=5062", "core=5060", "server=5062"], []).ports == {"core": 5060, "server": 5062}


def test_names_are_looked_up_because_trust_goes_by_address():
    peer = placement("127.0.0.1", [], ["server=localhost:5070"]).external["server"]
    assert peer.host == "localhost"
    assert "127.0.0.1" in peer.addresses


@pytest.mark.parametrize(
    ("host", "ports", "external", "said"),
    [
        ("0.0.0.0", [], [], "--host 0.0.0.0: must be one address of this machine"),
        ("no such name", [], [], "--host: no such name is no address and no known name"),
        ("127.0.0.1", ["sip=5060"], [], "--port sip=5060: must be NAME=PORT, NAME one of client, client-2, core"),
        ("127.0.0.1", ["core=65536"], [], "--port core=65536: must be NAME=PORT"),
        ("127.0.0.1", ["core"], [], "--port core: must be NAME=PORT"),
        ("127.0.0.1", ["core=5060", "server=5060"], [], "--port server=5060: core has this port already"),
        ("127.0.0.1", ["server=5072"], ["server"], "--port server=5072: the server is yours; where it is, says"),
        ("127.0.0.1", ["core-servers=5054"], ["core"], "--port core-servers=5054: the core is yours"),
        ("127.0.0.1", [], ["server=127.0.0.1:0"], "--external server=127.0.0.1:0: port 0 is none"),
        ("127.0.0.1", [], ["xdms=http://127.0.0.1:0/x"], "port 0 is none; must be that on which your program listens"),
        ("127.0.0.1", [], ["xdms=https://127.0.0.1/x"], "must be an XCAP root such as http://127.0.0.1:8080/xcap-root"),
        ("127.0.0.1", [], ["xdms=http://127.0.0.1:x/"], "--external xdms=http://127.0.0.1:x/: Port could not be cast"),
        ("127.0.0.1", [], ["core=192.0.2.6"], "192.0.2.6 cannot be reached from 127.0.0.1; name an address of this"),
        ("192.0.2.1", [], ["core=[2001:db8::6]:5060"], "2001:db8::6 and --host 192.0.2.1 are of different IP versions"),
    ],
)
def test_what_cannot_be_is_named_with_what_would_be_right(host, ports, external, said):
    with pytest.raises(PlacementError) as error:
        placement(host, ports, external)
    assert said in str(error.value)
