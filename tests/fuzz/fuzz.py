"""Looks for bytes that break the stack: `make fuzz SECONDS=60`. Needs atheris; the corpus beside this file is kept.

Each target runs for its share of the time, from its folder in `corpus/` and the words in `sip.dict`. Of what it finds,
the fewest that reach all the new code are put into that folder (`-merge=1`). A crash, an input that takes more than a
second of the processor and one that takes more than a gigabyte are written to `crashes/`, which `test_corpus.py` runs
too: commit it with what mends it.

Exit codes: 0 nothing found, 1 something was found, 2 no atheris for this platform or wrong usage.
"""

import argparse
import re
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
CORPUS, CRASHES = HERE / "corpus", HERE / "crashes"
SLOW_S = 1.0  # of processor time, whatever else the machine does
ENDLESS_S = 30  # by the clock
MOST_MEMORY_MB = 1024
LONGEST = 4096
NO_ATHERIS = (
    "atheris cannot be had here: {}\n"
    "It comes for Linux on x86_64 with CPython 3.11 to 3.13 (make fuzz FUZZ_PYTHON=/path/to/python3.11). "
    "What is kept in tests/fuzz/corpus is run by make test on every platform."
)


def child(name: str, arguments: list[str]) -> None:
    """The process that libFuzzer takes over: the stack instrumented, one target."""
    import atheris

    with atheris.instrument_imports(include=["talkburst.sip"], enable_loader_override=False):
        from targets import TARGETS
    # libFuzzer starts itself again to merge, by a shell and by this name.
    itself = shlex.join([sys.executable, str(HERE / "fuzz.py"), "--target", name, "--"])
    target = TARGETS[name]

    def measured(data: bytes) -> None:
        before = time.process_time()
        target(data)
        spent = time.process_time() - before
        assert spent < SLOW_S, f"{spent:.2f} s of processor time"

    atheris.Setup([itself, *arguments], measured)
    atheris.Fuzz()


def run(name: str, arguments: list[str], patience: float) -> tuple[int, str]:
    """libFuzzer on one target, in a process of its own; its exit code and what it said."""
    command = [sys.executable, str(HERE / "fuzz.py"), "--target", name, "--", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=patience, check=False)
    return done.returncode, done.stdout.decode(errors="replace")


def limits(crashes: Path) -> list[str]:
    return [
        f"-timeout={ENDLESS_S}",
        f"-rss_limit_mb={MOST_MEMORY_MB}",
        f"-max_len={LONGEST}",
        f"-dict={HERE / 'sip.dict'}",
        f"-artifact_prefix={crashes}/",
    ]


def fuzz(name: str, seconds: int) -> bool:
    """Runs one target and keeps what it found; whether it came through."""
    kept, crashes = CORPUS / name, CRASHES / name
    kept.mkdir(parents=True, exist_ok=True)
    before = {path.name for path in kept.iterdir()}
    with tempfile.TemporaryDirectory(prefix="talkburst-fuzz-") as found:
        (Path(found) / "crashes").mkdir()
        (Path(found) / "new").mkdir()
        new, crashed = Path(found) / "new", Path(found) / "crashes"
        status, said = run(
            name,
            [str(new), str(kept), f"-max_total_time={seconds}", "-print_final_stats=1", *limits(crashed)],
            seconds + 120,
        )
        for artifact in crashed.iterdir():
            crashes.mkdir(parents=True, exist_ok=True)
            artifact.rename(crashes / artifact.name)
            print(f"fuzz {name}: {crashes / artifact.name}", flush=True)
            print(f"  to repeat: {sys.executable} -m pytest {HERE / 'test_corpus.py'} -k {artifact.name}")
        merged, told = run(name, ["-merge=1", "-use_counters=0", str(kept), str(new), *limits(crashed)], 300)
    added = sorted(path for path in kept.iterdir() if path.name not in before)
    for path in added:
        path.rename(kept / f"found-{path.name[:12]}")
    executed = re.search(r"stat::number_of_executed_units:\s*(\d+)", said)
    print(f"fuzz {name}: {executed.group(1) if executed else '?'} inputs in {seconds} s, {len(added)} new ones kept")
    if status or merged:
        print("\n".join((said if status else told).splitlines()[-60:]))
    return not status and not merged


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60, help="for all targets together (default: 60)")
    parser.add_argument("--only", action="append", metavar="TARGET", help="this target alone (repeatable)")
    parser.add_argument("--target", help=argparse.SUPPRESS)
    parser.add_argument("arguments", nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    try:
        import atheris  # noqa: F401 - whether it is there
    except ImportError as error:
        print(NO_ATHERIS.format(error), file=sys.stderr)
        return 2
    if options.target:
        child(options.target, options.arguments)
        return 0
    from targets import TARGETS

    names = options.only or list(TARGETS)
    unknown = [name for name in names if name not in TARGETS]
    if unknown or options.seconds < 1:
        parser.error(f"the targets are {', '.join(TARGETS)}" if unknown else "--seconds is at least 1")
    share = max(1, options.seconds // len(names))
    results = [fuzz(name, share) for name in names]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
