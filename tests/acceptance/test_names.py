"""Daemons that find each other by a zone (RFC 3263): the whole flow, past addresses at which nobody is."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dns.message
import pytest

import talkburst_core
from harness import Demo, Ran
from zone_server import ZoneServer

pytestmark = pytest.mark.acceptance

PROFILES = Path(talkburst_core.__file__).parent / "world" / "profiles"
SERVICE = {"udp": "SIP+D2U", "tcp": "SIP+D2T"}


class Named:
    """A demo whose client finds the core, and whose core finds the PoC server, by the names of `ims.test`.

    The first SRV record of either leads to a port that is dead. The second one of the PoC server is a host with two
    addresses, at the first of which nobody is.
    """

    def __init__(self, directory: Path, free_port: Callable[[], int], transport: str = "udp", more: str = "") -> None:
        self.transport = transport
        self._more = more  # of the zone
        self.ports = {name: free_port() for name in ("core", "core-servers", "server", "dead")}
        self._profiles = directory / "profiles"
        self._profiles.mkdir()
        for profile in PROFILES.glob("*.xml"):
            text = profile.read_text("utf-8").replace("sip:poc.ims.example", "sip:poc.ims.test")
            (self._profiles / profile.name).write_text(text)

    @property
    def zone(self) -> str:
        srv = f"_sip._{self.transport}"
        return f"""
            @ 60 IN NAPTR 10 1 "s" "{SERVICE[self.transport]}" "" {srv}
            {srv} 60 IN SRV 1 0 {self.ports["dead"]} core
            {srv} 60 IN SRV 2 0 {self.ports["core"]} core
            core 60 IN A 127.0.0.1
            poc 60 IN NAPTR 10 1 "s" "SIPS+D2T" "" _sips._tcp.poc
            poc 60 IN NAPTR 20 1 "s" "{SERVICE[self.transport]}" "" {srv}.poc
            {srv}.poc 60 IN SRV 1 0 {self.ports["dead"]} core
            {srv}.poc 60 IN SRV 2 0 {self.ports["server"]} living.poc
            living.poc 60 IN AAAA ::1
            living.poc 60 IN A 127.0.0.1
            {self._more}
            """

    def config(self, names: ZoneServer) -> dict[str, Any]:
        servers = (f"127.0.0.1:{self.ports['core-servers']}", f"[::1]:{self.ports['core-servers']}")
        return {
            "dns": {"servers": [names.text]},
            "core": {
                "domains": ["ims.test"],
                "profiles": str(self._profiles),
                "listen_servers": [f"{transport}:{place}" for place in servers for transport in ("udp", "tcp")],
            },
            "server": {"uri": "sip:poc.ims.test"},
            "client": {"registrar": "sip:ims.test"},
        }

    async def run(self, demo: Demo, names: ZoneServer) -> Ran:
        names.serve(self.zone)
        ports = [f"--port={name}={self.ports[name]}" for name in ("core", "server")]
        return await demo("--transport", self.transport, *ports, config=self.config(names))


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_the_flow_passes_with_names_of_a_zone_and_dead_addresses_before_the_living_ones(
    demo: Demo, tmp_path: Path, free_port: Callable[[], int], transport: str
) -> None:
    with ZoneServer("ims.test", "") as names:
        named = Named(tmp_path, free_port, transport)
        ran = await named.run(demo, names)
    assert ran.status == 0, ran.explain()
    assert [step["verdict"] for step in ran.report["steps"]] == ["pass"] * 32
    assert ran.step(1)["message"] == "REGISTER sip:ims.test SIP/2.0"
    assert ran.step(5)["message"] == "REGISTER sip:poc.ims.test SIP/2.0"
    dead, living = f"127.0.0.1:{named.ports['dead']}", f"[::1]:{named.ports['server']}"
    for daemon, targets in (("client", [dead]), ("core", [dead, living])):
        # Whichever request is first to find a target dead says so for those behind it: REGISTER or SUBSCRIBE.
        failed = re.findall(r"the next one is asked method=\w+ target=(\S+)", ran.log(daemon))
        assert list(dict.fromkeys(failed)) == [f"{transport}:{target}" for target in targets]
    assert "REGISTER to sip:poc.ims.test failed" not in ran.log("core"), "a dead address is not a dead server"
    assert "ims.test NAPTR udp" in names.asked
    asked = [each for each in names.asked if "poc" in each]
    assert asked[:2] == ["poc.ims.test NAPTR udp", f"_sip._{transport}.poc.ims.test SRV udp"]
    assert set(asked[2:]) == {"living.poc.ims.test A udp", "living.poc.ims.test AAAA udp"}
    assert len(asked) == 4, "every question is asked once"


async def test_answers_that_are_damaged_and_too_large_for_a_datagram_change_nothing(
    demo: Demo, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    def damage(query: dns.message.Message, reply: bytes) -> list[bytes]:
        return [b"", b"garbage", bytes([reply[0] ^ 1, *reply[1:]]), reply[: len(reply) // 2], reply]

    crowd = "\n".join(f'@ 60 IN NAPTR 90 {each} "s" "E2U+sip" "" enum{each}' for each in range(60))
    with ZoneServer("ims.test", "", damage) as names:
        ran = await Named(tmp_path, free_port, more=crowd).run(demo, names)
    assert ran.status == 0, ran.explain()
    assert "ims.test NAPTR tcp" in names.asked, "the answer was cut off by UDP"
