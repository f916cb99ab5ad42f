"""Starts the daemons with no arguments, in the order given, and waits for the verdict.

To be run inside a network namespace of its own.

Usage: by_hand.py REPORT STATE_DIRECTORY NAME...
"""

import os
import signal
import subprocess
import sys

COLLECTOR = "tcp:127.0.0.1:9060"
TALKBURST = (sys.executable, "-P", "-m", "talkburst")


def main(report: str, state: str, *names: str) -> int:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    checker = subprocess.Popen([*TALKBURST, "check", "--hep", COLLECTOR, "--report", report], stdout=subprocess.PIPE)
    assert checker.stdout is not None
    print(checker.stdout.readline().decode(), end="")  # it listens
    environment = {**os.environ, "TALKBURST_STATE": state, "TALKBURST_TRACE__HEP": COLLECTOR}
    daemons = []
    for name in names:
        daemon = subprocess.Popen([*TALKBURST, name], stdout=subprocess.PIPE, env=environment)
        assert daemon.stdout is not None
        print(daemon.stdout.readline().decode(), end="")  # its ready line
        daemons.append(daemon)
    out, _ = checker.communicate(timeout=90)
    print(out.decode())
    for daemon in reversed(daemons):
        daemon.send_signal(signal.SIGTERM)
    ended = [daemon.wait(timeout=20) for daemon in daemons]
    print("ended with", ended)
    return checker.returncode or max(ended)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
