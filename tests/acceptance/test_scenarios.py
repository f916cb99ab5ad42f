"""The variants of the flow: a second client of the same user, and a client without ISIM."""

import pytest

from harness import Demo

pytestmark = pytest.mark.acceptance


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_second_client_overrides_the_settings_it_finds_and_the_first_client_is_notified(
    demo: Demo, transport: str
) -> None:
    quick = {"server": {"notify_interval": 1.0}}
    ran = await demo("--scenario", "second-client", "--transport", transport, config=quick)
    assert ran.status == 0, ran.explain()
    assert [step["verdict"] for step in ran.report["steps"]] == ["pass"] * 32
    assert ran.report["flow"]["identity"] == "sip:alice@ims.example"
    told = [line for line in ran.log("client").splitlines() if "settings told" in line]
    assert "manual" not in told[0]
    assert any("manual" in line for line in told)


async def test_second_client_that_keeps_the_settings_it_finds_needs_no_publication(demo: Demo) -> None:
    ran = await demo("--scenario", "second-client", "--wait", "2", config={"client": {"on_conflict": "keep"}})
    assert ran.status == 0, ran.explain()
    assert [step["verdict"] for step in ran.report["steps"]] == ["pass"] * 23 + ["not-needed"] * 9
    assert ran.report["verdict"] == "pass"


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_client_without_isim_takes_its_poc_address_from_the_core(demo: Demo, transport: str) -> None:
    ran = await demo("--scenario", "no-isim", "--transport", transport)
    assert ran.status == 0, ran.explain()
    assert [step["verdict"] for step in ran.report["steps"]] == ["pass"] * 32
    assert ran.step(1)["message"] == "REGISTER sip:ims.mnc001.mcc001.3gppnetwork.org SIP/2.0"
    assert ran.step(12)["message"] == "SUBSCRIBE sip:dave@ims.example SIP/2.0"
    assert ran.step(16)["message"] == "SUBSCRIBE sip:dave@ims.example SIP/2.0"
    assert ran.step(14)["time"] < ran.step(16)["time"]
    assert "dave@ims.example" not in (ran.directory / "talkburst.toml").read_text()
