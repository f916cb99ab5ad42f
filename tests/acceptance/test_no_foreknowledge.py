"""Nothing in the core knows the flow: what happens follows from the subscriber's profile and from what was said."""

import asyncio
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import talkburst_core
from harness import Demo, Ran

pytestmark = pytest.mark.acceptance

WORLD = Path(talkburst_core.__file__).parent / "world" / "profiles"
QUICK = {"t1": 0.05, "t2": 0.4, "t4": 0.5}


class Profiles:
    """A copy of the demo world's profiles, to be changed."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        shutil.copytree(WORLD, directory)

    @property
    def config(self) -> dict[str, Any]:
        return {"core": {"profiles": str(self.directory)}, "timers": QUICK}

    def edit_alice(self, change: Any) -> None:
        for name in ("alice.xml", "alice-2.xml"):
            tree = ElementTree.parse(self.directory / name)
            change(tree.getroot().find("ServiceProfile"))
            tree.write(self.directory / name, encoding="UTF-8", xml_declaration=True)


@pytest.fixture
def profiles(tmp_path: Path) -> Profiles:
    return Profiles(tmp_path / "profiles")


def delete_criterion(priority: int) -> Any:
    def change(profile: ElementTree.Element) -> None:
        for criterion in profile.findall("InitialFilterCriteria"):
            if criterion.findtext("Priority") == str(priority):
                profile.remove(criterion)

    return change


def assert_not_reached(ran: Ran, step: int) -> None:
    assert ran.status == 1, ran.explain()
    assert ran.step(step)["verdict"] == "not-reached", ran.step(step)
    assert ran.report["first_failure"] == step


async def test_without_the_register_criterion_step_5_is_not_reached(demo: Demo, profiles: Profiles) -> None:
    profiles.edit_alice(delete_criterion(0))
    ran = await demo(config=profiles.config)
    assert_not_reached(ran, 5)
    assert "no third-party REGISTER" in ran.log("core")


async def test_without_the_poc_settings_criterion_step_17_is_not_reached(demo: Demo, profiles: Profiles) -> None:
    profiles.edit_alice(delete_criterion(1))
    ran = await demo(config=profiles.config)
    assert_not_reached(ran, 17)


async def test_an_unmatched_criterion_is_logged_with_its_trigger(demo: Demo, profiles: Profiles) -> None:
    def ask_for_another_tag(profile: ElementTree.Element) -> None:
        for content in profile.iter("Content"):
            content.text = (content.text or "").replace("talkburst", "groupad")

    profiles.edit_alice(ask_for_another_tag)
    ran = await demo(config=profiles.config)
    assert_not_reached(ran, 5)
    line = next(line for line in ran.log("core").splitlines() if "no third-party REGISTER" in line)
    assert "criterion 0" in line
    assert "group 1" in line
    assert "Contact" in line


class Listener(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.heard: list[bytes] = []

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.heard.append(data)


async def test_a_second_server_name_moves_step_5(demo: Demo, profiles: Profiles) -> None:
    transport, listener = await asyncio.get_running_loop().create_datagram_endpoint(
        Listener, local_addr=("127.0.0.1", 0)
    )
    host, port = transport.get_extra_info("sockname")

    def rename(profile: ElementTree.Element) -> None:
        name = profile.find("InitialFilterCriteria[Priority='0']/ApplicationServer/ServerName")
        assert name is not None
        name.text = "sip:poc-2.ims.example"

    profiles.edit_alice(rename)
    try:
        ran = await demo(config={**profiles.config, "hosts": {"poc-2.ims.example": f"{host}:{port}"}})
    finally:
        transport.close()
    assert ran.status == 1, ran.explain()
    assert any(data.startswith(b"REGISTER sip:poc-2.ims.example SIP/2.0\r\n") for data in listener.heard)
    assert "REGISTER" not in ran.log("server")
    assert ran.step(7)["verdict"] == "not-reached"


async def test_a_poc_address_renamed_in_the_profile_alone_keeps_32_passes(demo: Demo, profiles: Profiles) -> None:
    def rename(profile: ElementTree.Element) -> None:
        for identity in profile.iter("Identity"):
            identity.text = (identity.text or "").replace("+12025550101", "+12025559999")

    profiles.edit_alice(rename)
    ran = await demo(config=profiles.config)
    assert ran.status == 0, ran.explain()
    assert "+12025559999" in ran.log("server")
    assert "+12025550101" not in ran.log("server")


async def test_no_get_before_step_9(demo: Demo) -> None:
    ran = await demo()
    assert ran.status == 0, ran.explain()
    assert ran.step(11)["time"] > ran.step(9)["time"]
