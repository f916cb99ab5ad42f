"""Starts `talkburst demo --external NAME` and, when it waits, `talkburst NAME` with no arguments.

To be run inside a network namespace of its own.

Usage: beside_demo.py STATE_DIRECTORY NAME
"""

import os
import signal
import subprocess
import sys

TALKBURST = (sys.executable, "-P", "-m", "talkburst")


def main(state: str, name: str) -> int:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    demo = subprocess.Popen([*TALKBURST, "demo", "--external", name], stdout=subprocess.PIPE, text=True)
    assert demo.stdout is not None
    for line in demo.stdout:
        print(line, end="")
        if line.startswith("waiting for "):
            break
    daemon = subprocess.Popen([*TALKBURST, name], env={**os.environ, "TALKBURST_STATE": state})
    out, _ = demo.communicate(timeout=90)
    print(out)
    daemon.send_signal(signal.SIGTERM)
    daemon.wait(timeout=20)
    return demo.returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
