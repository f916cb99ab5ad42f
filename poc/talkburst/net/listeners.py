"""Opening every listener of a daemon, UDP, TCP and TLS, under the names that hold them together."""

from collections import Counter
from collections.abc import Iterable

from talkburst.daemon.address import advertised, parse_listen, show_host_port
from talkburst.net.listen import transport_of
from talkburst.net.node import SipNode


async def listen_all(
    node: SipNode, name: str, entries: Iterable[str], advertise: str = "", *, begin: bool = True
) -> list[str]:
    """Open the `listen` entries of one side of a daemon; where each listens, as the ready line says it.

    The first UDP entry and the first TCP entry are both called `name`: what outgrows the one goes by the other
    (RFC 3261 18.1.1). The second ones are called "name/2", and so on. A port in `advertise` is that of UDP and TCP, a
    TLS listener keeps its own. Without `begin` nothing is read until `node.begin()`. Raises ListenError.
    """
    count: Counter[str] = Counter()
    addresses = []
    for entry in entries:
        address = parse_listen(entry)
        transport = transport_of(address)
        count[transport] += 1
        number = count[transport]
        told = advertised(advertise, address)
        if told is not None and transport == "tls":
            told = (told[0], address.port)
        listener = await node.listen(name if number == 1 else f"{name}/{number}", address, told, begin=False)
        addresses.append(f"{listener.transport.lower()}:{show_host_port(listener.host, listener.port)}")
    if begin:
        await node.begin()
    return addresses
