"""`python -m talkburst_xdms`: the XDMS, alone in its process."""

from talkburst.daemon.command import Flag, daemon_command
from talkburst_xdms.daemon import XdmsDaemon

main = daemon_command(
    "xdms",
    XdmsDaemon,
    "The XDMS: an XCAP server with the documents of PoC users.",
    Flag("--root", "root", "the path of the XCAP root", "PATH"),
)

if __name__ == "__main__":
    main()
