"""The sinks that a daemon's settings ask for."""

from talkburst.daemon.address import parse_endpoint
from talkburst.obs.hep import HepSink
from talkburst.obs.pcap import PcapSink
from talkburst.obs.trace import Sink


def open_sinks(hep: str, pcap: str, name: str) -> list[Sink]:
    """`hep` is `tcp:HOST:PORT`, `udp:HOST:PORT` or empty, `pcap` a path or empty; {name} in it becomes `name`."""
    sinks: list[Sink] = []
    if hep:
        sinks.append(HepSink(*parse_endpoint(hep)))
    if pcap:
        sinks.append(PcapSink(pcap.replace("{name}", name)))
    return sinks
