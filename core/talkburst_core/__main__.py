"""`python -m talkburst_core`: the core, alone in its process."""

from talkburst.daemon.command import Flag, daemon_command
from talkburst_core.daemon import CoreDaemon

main = daemon_command(
    "core",
    CoreDaemon,
    "The SIP core: registrar, routing by filter criteria, registration events.",
    Flag(
        "--listen-servers",
        "listen_servers",
        "listen here for servers instead (repeatable)",
        "udp:HOST:PORT|tcp:HOST:PORT|fd:N",
        many=True,
    ),
    Flag("--advertise-servers", "advertise_servers", "what servers are told instead of that address", "HOST[:PORT]"),
    Flag("--profiles", "profiles", "the subscribers: IMSSubscription *.xml files", "DIR"),
    Flag("--credentials", "credentials", "their passwords", "FILE"),
    Flag("--domain", "domain", "the home domain", "NAME"),
)

if __name__ == "__main__":
    main()
