"""The demo world with programs from outside: what is ours, where it is, and what the daemons are told."""

import socket
import tomllib

import pytest

from talkburst.demo import placement as placements
from talkburst.demo.guide import Guide
from talkburst.demo.placement import placement
from talkburst.demo.scenario import SCENARIOS
from talkburst.demo.world import CONFIGURATION, World

FREE = ["core=0", "core-servers=0", "server=0", "xdms=0"]


@pytest.fixture
async def build(tmp_path):
    worlds = []

    def make(*external, host="127.0.0.1", ports=FREE, scenario="first-client", given=None):
        placed = placement(host, ports, external)
        world = World(tmp_path, given or {}, SCENARIOS[scenario], ("127.0.0.1", 9), placement=placed)
        worlds.append(world)
        world.prepare()
        return world

    yield make
    for world in worlds:
        await world.stop()


def names(world):
    return {part.name for part in world.parts}


async def test_a_daemon_whose_place_is_taken_is_not_started(build):
    assert names(build()) == {"xdms", "core", "server", "client"}
    world = build("core=127.0.0.3:4060", "xdms=127.0.0.3:88")
    assert names(world) == set(world.daemons) == {"server", "client"}
    assert world.reporting == {"server", "client"}
    assert world.roles().of(("127.0.0.3", 4060)) == "core"
    assert world.roles().of(("127.0.0.3", 88)) == "xdms"


async def test_the_client_that_is_judged_is_the_one_from_outside(build):
    assert names(build("client", scenario="second-client")) == {"xdms", "core", "server", "client"}
    assert build("client", scenario="second-client").clients == ["client"]
    assert build("client").clients == []


async def test_our_daemons_look_for_the_others_where_they_are_and_trust_what_was_named(build, tmp_path):
    build("core=127.0.0.3:4060", "xdms=http://127.0.0.4:88/services", given={"server": {"notify_interval": 1.0}})
    written = tomllib.loads((tmp_path / CONFIGURATION).read_text())
    assert written["hosts"]["ims.example"] == written["hosts"]["scscf.ims.example"] == "127.0.0.3:4060"
    assert written["trust"]["peers"] == ["127.0.0.1", "127.0.0.3"]
    assert written["server"]["xcap_root"] == "http://127.0.0.4:88/services"
    assert written["server"]["notify_interval"] == 1.0
    assert "core" not in written
    assert "xdms" not in written


async def test_a_port_of_the_demo_world_that_somebody_has_is_named(build, monkeypatch):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        taken = held.getsockname()[1]
        monkeypatch.setitem(placements.DEMO_PORTS, "core", taken)
        world = build("client", ports=FREE[1:])
    assert world.elsewhere("core.listen") == f" ({taken} is taken)"
    assert world.elsewhere("server.listen") == ""


async def test_credentials_in_the_guide_are_those_of_the_configuration(build):
    given = {"client": {"password": "other"}, "server": {"xcap_user": "sip:s@x.example", "xcap_password": "secret"}}
    guide = Guide.of(build("client", "xdms=127.0.0.1:88", given=given))
    client, xdms = guide.blocks()
    assert "  password      other\n" in client
    assert "  reader        sip:s@x.example, password secret: the PoC server" in xdms
    assert guide.awaited().startswith("a REGISTER of your client at 127.0.0.1:")


@pytest.mark.parametrize(
    ("external", "awaited"),
    [
        (("client", "core"), "a third-party REGISTER of your core at 127.0.0.1:"),
        (("client", "core", "server"), "a GET of your server at http://127.0.0.1:"),
    ],
)
async def test_what_comes_first_is_said_for_every_cast(build, external, awaited):
    assert Guide.of(build(*external)).awaited().startswith(awaited)
