"""`talkburst demo`: the 32 steps between four real processes, from one command."""

import asyncio
import sys
from pathlib import Path

import pytest

from harness import Demo, Ran, command, environment, need

pytestmark = pytest.mark.acceptance
ROOT = Path(__file__).parents[2]


def assert_passed(ran: Ran) -> None:
    assert ran.status == 0, ran.explain()
    assert ran.report["verdict"] == "pass"
    assert ran.report["first_failure"] is None
    assert [step["verdict"] for step in ran.report["steps"]] == ["pass"] * 32, ran.explain()


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
async def test_demo_passes_32_of_32_and_prints_its_elapsed_time(demo: Demo, transport: str) -> None:
    ran = await demo("--transport", transport)
    assert_passed(ran)
    assert "32 of 32" in ran.out
    assert f"{ran.report['elapsed_s']:.3f} s" in ran.out
    assert 0 < ran.report["elapsed_s"] < 60
    assert f"  {transport} 127.0.0.1:" in ran.out


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_demo_over_ipv6_passes_32_of_32(demo: Demo, transport: str) -> None:
    ran = await demo("--host", "::1", "--transport", transport)
    assert_passed(ran)
    assert f"  {transport} [::1]:" in ran.out
    assert "127.0.0.1" not in ran.out


async def test_report_names_each_step_with_its_ends_and_its_start_line(demo: Demo) -> None:
    ran = await demo()
    assert_passed(ran)
    first, stored, last = ran.step(1), ran.step(28), ran.step(32)
    assert (first["from"], first["to"]) == ("client", "core")
    assert first["message"] == "REGISTER sip:ims.example SIP/2.0"
    assert stored["message"] is None
    assert (last["from"], last["to"], last["message"]) == ("core", "server", "SIP/2.0 200 OK")
    assert first["time"] < last["time"]
    assert ran.report["elapsed_s"] == pytest.approx(last["time"] - first["time"], abs=0.5)


async def test_ladder_shows_every_step_number_on_an_arrow(demo: Demo) -> None:
    ran = await demo()
    assert_passed(ran)
    ladder = ran.out.partition("32 of 32")[0]
    for number in {*range(1, 33)} - {28}:
        assert any(f"{number} " in line and (">" in line or "<" in line) for line in ladder.splitlines()), number


@pytest.mark.parametrize("order", ["200-first", "NOTIFY-first"])
async def test_both_orders_of_200_and_notify_pass_in_steps_8_9_and_13_14(demo: Demo, order: str) -> None:
    ran = await demo(config={"core": {"notify_first": order == "NOTIFY-first"}})
    assert_passed(ran)
    for answer, notify in ((8, 9), (13, 14)):
        notify_came_first = ran.step(notify)["time"] < ran.step(answer)["time"]
        assert notify_came_first == (order == "NOTIFY-first"), (answer, notify)


@pytest.mark.parametrize("order", ["200-first", "NOTIFY-first"])
async def test_both_orders_of_200_and_notify_pass_in_steps_18_20(demo: Demo, order: str) -> None:
    ran = await demo(config={"server": {"notify_first": order == "NOTIFY-first"}})
    assert_passed(ran)
    assert (ran.step(20)["time"] < ran.step(18)["time"]) == (order == "NOTIFY-first")


@pytest.mark.parametrize("runs", [4, pytest.param(20, marks=pytest.mark.longer)])
async def test_runs_beside_a_cpu_bound_process_all_pass(demo: Demo, runs: int) -> None:
    busy = await asyncio.create_subprocess_exec(sys.executable, "-c", "while True: pass")
    try:
        for _ in range(runs):
            assert_passed(await demo())
    finally:
        busy.kill()
        await busy.wait()


async def test_make_demo_runs_on_a_fresh_clone_with_nothing_installed_by_hand(tmp_path: Path) -> None:
    need("make")
    git = need("git")
    clone = tmp_path / "clone"
    status, _, err = await command(git, "clone", "--quiet", "--no-local", str(ROOT), str(clone))
    assert status == 0, err
    python = getattr(sys, "_base_executable", sys.executable)
    status, out, err = await command(
        "make", "-C", str(clone), "demo", f"PYTHON={python}", within=600, env=environment()
    )
    assert status == 0, out + err
    assert "32 of 32" in out


async def test_two_demos_at_the_same_time_do_not_meet(demo: Demo) -> None:
    for ran in await asyncio.gather(demo(), demo()):
        assert_passed(ran)
