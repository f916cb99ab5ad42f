"""`python -m talkburst_server`: the PoC server, alone in its process."""

from talkburst.daemon.command import Flag, daemon_command
from talkburst_server.daemon import ServerDaemon

main = daemon_command(
    "server",
    ServerDaemon,
    "The PoC server: third-party registration, reg event, XDM documents, poc-settings.",
    Flag("--xcap-root", "xcap_root", "the PoC XDMS, and the Shared XDMS if no other is given", "URL"),
    Flag("--shared-xcap-root", "shared_xcap_root", "the Shared XDMS", "URL"),
)

if __name__ == "__main__":
    main()
