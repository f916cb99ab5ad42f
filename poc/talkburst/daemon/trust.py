"""Whom a listener believes what they say of others, such as P-Asserted-Identity."""

import ipaddress
from collections.abc import Iterable, Mapping

from talkburst.daemon.address import parse_host_port
from talkburst.sip.remembered import remember


class Trust:
    """The peers that are believed: addresses, networks, and names that the hosts table gives an address.

    ValueError for a name that is in no table, since trust must not hang on somebody's DNS.
    """

    def __init__(self, peers: Iterable[str], hosts: Mapping[str, str]) -> None:
        self._networks = [_network(peer, hosts) for peer in peers]
        self._judged: dict[str, bool] = {}

    def __contains__(self, host: str) -> bool:
        """Whether an IP address is one of theirs; an IPv4 address mapped into IPv6 is the IPv4 address."""
        known = self._judged.get(host)
        return remember(self._judged, host, self._is_theirs(host)) if known is None else known

    def _is_theirs(self, host: str) -> bool:
        address = ipaddress.ip_address(host.strip("[]"))
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self._networks)


def _network(peer: str, hosts: Mapping[str, str]) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(peer, strict=False)
    except ValueError:
        entry = next((value for name, value in hosts.items() if name.lower() == peer.lower()), None)
    if entry is None:
        raise ValueError(f"trust.peers: {peer} is no address and has no entry in [hosts]")
    host, _ = parse_host_port(entry.partition(";")[0])
    try:
        return ipaddress.ip_network(host)
    except ValueError:
        raise ValueError(f"trust.peers: [hosts] gives {peer} another name, {host}, and no address") from None
