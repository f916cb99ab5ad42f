"""Who the client is: identities, where it registers, and what it says of itself in every request."""

from dataclasses import dataclass
from typing import Final

from talkburst.sip.headers import NameAddr
from talkburst.sip.sips import as_sips, names_sips
from talkburst.sip.uri import SipUri, Uri, UriError, parse_uri

TAG: Final = "+g.poc.talkburst"
# RFC 3841: only a contact that registered the PoC tag. This form, with "*;", is the one deployed clients send.
ACCEPT_CONTACT: Final = f"*;{TAG};require;explicit"


@dataclass(slots=True, frozen=True)
class Account:
    """One subscriber's device. `registrar` is the home domain as a SIP URI, `outbound` a first hop before it (or "").

    `expires` is the registration asked for, in seconds. `instance` is a URN (RFC 5626 4.1), and the entity id under
    which the client publishes.
    """

    private_id: str
    public_id: str
    registrar: str
    instance: str
    expires: int = 600_000
    outbound: str = ""
    initial_authorization: bool = True
    """Name the private id in the first REGISTER (TS 24.229 5.1.1.2), with nothing answered yet."""
    user_agent: str = "PoC-client/OMA1.0"

    @property
    def realm(self) -> str:
        """The domain of the private id, which the home network takes for its realm."""
        return self.private_id.rpartition("@")[2]

    @property
    def sips(self) -> bool:
        """Whether the device wants to be reached over TLS alone: it registers with a SIPS URI (RFC 5630 5.1.1.1)."""
        return names_sips(self.registrar)

    @property
    def address_of_record(self) -> NameAddr:
        """From and To of a REGISTER, SIPS where the Contact is (RFC 5630 5.1.1.1)."""
        own = parse_uri(self.public_id)
        return address(as_sips(own) if self.sips and isinstance(own, SipUri) else own)

    @property
    def routes(self) -> list[str]:
        """The Route of a REGISTER: the outbound proxy, if there is one."""
        if not self.outbound:
            return []
        uri = parse_uri(self.outbound if self.outbound.startswith("sip") else f"sip:{self.outbound}")
        if not isinstance(uri, SipUri):
            raise UriError(f"{self.outbound} is no SIP URI")
        return [f"<{uri if uri.lr else uri.with_param('lr')}>"]

    def contact_uri(self, sent_by: str, transport: str = "UDP") -> SipUri:
        """Where this device is reached; `sent_by` is host:port."""
        public = parse_uri(self.public_id)
        user = public.user if isinstance(public, SipUri) else getattr(public, "number", None)
        uri = parse_uri(f"{'sips' if self.sips else 'sip'}:{user or 'poc'}@{sent_by}")
        assert isinstance(uri, SipUri)
        return uri if transport == "UDP" or self.sips else uri.with_param("transport", transport.lower())

    def contact(self, uri: SipUri) -> str:
        """The Contact of a REGISTER: with the PoC tag, by which the core knows a PoC client, and the instance id."""
        return f'<{uri}>;{TAG};+sip.instance="<{self.instance}>"'


def address(uri: str | Uri) -> NameAddr:
    """A URI as From, To or P-Preferred-Identity writes it. Raises UriError."""
    return NameAddr("", parse_uri(uri) if isinstance(uri, str) else uri, {})
