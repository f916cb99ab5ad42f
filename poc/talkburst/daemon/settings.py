"""The settings of all daemons: one tree, one file. The defaults fit together: they are the demo world.

`configuration.load` fills the tree from flags, environment, file and these defaults, in that order of precedence.
"""

import ipaddress
import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from talkburst.daemon.address import parse_endpoint, parse_host_port, parse_listen, parse_name_server

_DOMAIN = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")


class ConfigurationError(Exception):
    """What is wrong with the configuration, each problem a line that says where and what would be right."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def _key_fault(key: str, text: str) -> PydanticCustomError:
    """A fault found by a check over several keys, laid at the door of one of them."""
    return PydanticCustomError("key_fault", "{text}", {"key": key, "text": text})


def _checked(check: Callable[[str], object]) -> AfterValidator:
    """A text that is empty, or that `check` takes (it raises ValueError with what would be right)."""

    def validate(text: str) -> str:
        if text:
            check(text)
        return text

    return AfterValidator(validate)


def _expect(pattern: str, right: str) -> Callable[[str], None]:
    def check(text: str) -> None:
        if not re.fullmatch(pattern, text):
            raise ValueError(right)

    return check


def _check_domain(text: str) -> None:
    if not _DOMAIN.fullmatch(text):
        raise ValueError("must be a bare domain name such as ims.example")


def _check_advertise(text: str) -> None:
    host, _ = parse_host_port(text)
    if host in ("0.0.0.0", "::"):
        raise ValueError("must be an address or name that others can reach; this one is the wildcard")


def _check_peer(text: str) -> None:
    if "/" in text or re.fullmatch(r"[0-9.]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*", text):
        try:
            ipaddress.ip_network(text, strict=False)
        except ValueError:
            raise ValueError("must be an address, a network such as 10.0.0.0/8, or a name") from None


def _check_host_value(text: str) -> None:
    address, _, parameter = text.partition(";")
    if parameter.lower() not in ("", "transport=udp", "transport=tcp", "transport=tls"):
        raise ValueError('may carry ";transport=udp", ";transport=tcp" or ";transport=tls" and nothing else')
    parse_host_port(address)


def _commas(value: object) -> object:
    """A list may also be written as one text with commas, as the environment must."""
    if isinstance(value, str):
        return [item.strip() for item in value.split(",") if item.strip()]
    return value


Domain = Annotated[str, Field(min_length=1), _checked(_check_domain)]
Listens = Annotated[list[Annotated[str, _checked(parse_listen)]], Field(min_length=1), BeforeValidator(_commas)]
Advertise = Annotated[str, _checked(_check_advertise)]
SipUriText = Annotated[str, Field(min_length=1), _checked(_expect(r"sips?:\S+", "must be a SIP URI such as sip:x.org"))]
PublicId = Annotated[
    str, Field(min_length=1), _checked(_expect(r"(sips?|tel):\S+", "must be a SIP or tel URI such as sip:a@x.org"))
]
HttpUrl = Annotated[str, _checked(_expect(r"https?://[^\s/]+(/\S*)?", "must be a URL such as http://127.0.0.1:8080/x"))]
Names = Annotated[list[str], BeforeValidator(_commas)]
Hosts = dict[str, Annotated[str, Field(min_length=1), _checked(_check_host_value)]]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
FlowTimer = Annotated[int, Field(ge=0, le=86_400)]  # seconds, RFC 5626 11.1; 0 asks for no keep-alives
Expires = Annotated[int, Field(ge=1, le=2**32 - 1)]  # delta-seconds, RFC 3261 20.19

DEMO_HOSTS = {
    "ims.example": "127.0.0.1:5060",
    "ims.mnc001.mcc001.3gppnetwork.org": "127.0.0.1:5060",
    "scscf.ims.example": "127.0.0.1:5054",
    "poc.ims.example": "127.0.0.1:5070",
}


def _over_demo_hosts(given: object) -> object:
    return {**DEMO_HOSTS, **given} if isinstance(given, dict) else given


class Section(BaseModel):
    """One table of the file. An unknown key is an error."""

    model_config = ConfigDict(extra="forbid", validate_default=True)


def _need_advertise(listen: list[str], advertise: str, listen_key: str, advertise_key: str) -> None:
    """A wildcard can stand in no Via and no Contact, so somebody has to say what does."""
    for entry in listen:
        if parse_listen(entry).is_wildcard and not advertise:
            raise _key_fault(
                listen_key,
                f"{entry} listens on every address, so {advertise_key} must say which one peers are told, "
                f'such as {advertise_key} = "192.0.2.1"',
            )


class Trust(Section):
    """Whom the listener for servers believes: addresses, names of [hosts], networks."""

    peers: Annotated[list[Annotated[str, _checked(_check_peer)]], BeforeValidator(_commas)] = ["127.0.0.1"]


class TimerSettings(Section):
    """RFC 3261 17.1.1.1, 17.1.2.2, in seconds."""

    t1: Seconds = 0.5
    t2: Seconds = 4.0
    t4: Seconds = 5.0

    @model_validator(mode="after")
    def _in_order(self) -> "TimerSettings":
        if self.t2 < self.t1:
            raise _key_fault("t2", f"must be at least t1 ({self.t1:g})")
        return self


class LimitSettings(Section):
    """What peers may make a daemon keep and do; seconds and bytes."""

    connections: Count = 4096
    connections_per_address: Count = 1024
    idle: Seconds = 600.0
    message_time: Seconds = 16.0
    unsent: Count = 262_144
    headers: Count = 65_536
    header: Count = 8192
    header_count: Count = 256
    hops: Count = 70
    body: Annotated[int, Field(ge=0)] = 1_048_576
    queue_delay: Seconds = 0.2
    queue: Count = 2000
    retry_after: Count = 10


class DnsSettings(Section):
    """Who is asked for names that [hosts] does not have: `servers`, else those of the system."""

    servers: Annotated[list[Annotated[str, _checked(parse_name_server)]], BeforeValidator(_commas)] = []
    timeout: Seconds = 2.0


class TraceSettings(Section):
    """Where every message is copied to. In `pcap`, {name} stands for the daemon's name."""

    hep: Annotated[str, _checked(parse_endpoint)] = ""
    pcap: str = ""


class TlsSettings(Section):
    """Files in PEM. What a daemon has in a table of its own ([core.tls]) goes before [tls]."""

    certificate: str = ""
    key: str = ""
    ca: str = ""
    verify_client: Literal["no", "if-given", "required"] = "no"
    _own: frozenset[str] = frozenset()

    def over(self, base: "TlsSettings") -> "TlsSettings":
        """These where they are given, else those of `base`. A certificate brings its key with it."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        if "certificate" in given:
            given.setdefault("key", "")
        merged = base.model_copy(update=given)
        merged._own = frozenset(given)
        return merged

    def place(self, key: str, daemon: str) -> str:
        """The name of a key, in the table that it came from."""
        return f"{daemon}.tls.{key}" if key in self._own else f"tls.{key}"


class LogSettings(Section):
    level: Literal["debug", "info", "warning", "error"] = "info"


class CoreSettings(Section):
    domain: Domain = "ims.example"
    domains: Annotated[list[Domain], BeforeValidator(_commas)] = ["ims.mnc001.mcc001.3gppnetwork.org"]
    uri: SipUriText = "sip:scscf.ims.example"
    listen: Listens = ["udp:127.0.0.1:5060", "tcp:127.0.0.1:5060"]
    listen_servers: Listens = ["udp:127.0.0.1:5054", "tcp:127.0.0.1:5054"]
    advertise: Advertise = ""
    advertise_servers: Advertise = ""
    profiles: str = ""
    credentials: str = ""
    realm: str = ""
    nonce_lifetime: Seconds = 300.0
    expires_min: Expires = 60
    expires_max: Expires = 3600
    flow_timer: FlowTimer = 120
    flow_timer_udp: FlowTimer = 29
    auth_requests: Literal["registered-flow", "challenge"] = "registered-flow"
    tolerate: Annotated[
        list[Literal["bare-username", "short-nonce-count", "qop-without-count"]], BeforeValidator(_commas)
    ] = ["bare-username", "short-nonce-count", "qop-without-count"]
    notify_interval: Annotated[float, Field(ge=0)] = 5.0
    liveness: Seconds = 5.0
    notify_first: bool = False
    tls: TlsSettings = Field(default_factory=TlsSettings)
    hosts: Hosts = {}

    @model_validator(mode="after")
    def _consistent(self) -> "CoreSettings":
        _need_advertise(self.listen, self.advertise, "listen", "advertise")
        _need_advertise(self.listen_servers, self.advertise_servers, "listen_servers", "advertise_servers")
        if self.expires_max < self.expires_min:
            raise _key_fault("expires_max", f"must be at least expires_min ({self.expires_min})")
        return self


class ServerSettings(Section):
    uri: SipUriText = "sip:poc.ims.example"
    listen: Listens = ["udp:127.0.0.1:5070", "tcp:127.0.0.1:5070"]
    advertise: Advertise = ""
    xcap_root: Annotated[HttpUrl, Field(min_length=1)] = "http://127.0.0.1:8080/xcap-root"
    shared_xcap_root: HttpUrl = ""
    xcap_user: PublicId = "sip:poc.ims.example"
    xcap_password: SecretStr = SecretStr("poc")
    reg_expires: Expires = 600_000
    settings_expires_max: Expires = 3600
    notify_interval: Annotated[float, Field(ge=0)] = 5.0
    notify_first: bool = False
    tls: TlsSettings = Field(default_factory=TlsSettings)
    hosts: Hosts = {}

    @model_validator(mode="after")
    def _consistent(self) -> "ServerSettings":
        _need_advertise(self.listen, self.advertise, "listen", "advertise")
        return self


class Account(Section):
    """One user of the XDMS: `aliases` are further XCAP user identifiers of the same person."""

    password: SecretStr
    aliases: Names = []


def _demo_accounts() -> dict[str, Account]:
    numbers = {"alice": "0101", "bob": "0102", "carol": "0103", "dave": ""}
    accounts = {}
    for name, number in numbers.items():
        number = number and f"+1202555{number}"
        aliases = [f"sip:{number}@ims.example;user=phone", f"tel:{number}"] if number else []
        accounts[f"sip:{name}@ims.example"] = Account(password=SecretStr(name), aliases=aliases)
    return accounts


class XdmsSettings(Section):
    listen: Listens = ["tcp:127.0.0.1:8080"]
    root: Annotated[str, Field(min_length=1), _checked(_expect(r"/\S*", "must be a path such as /xcap-root"))] = (
        "/xcap-root"
    )
    accounts: dict[PublicId, Account] = Field(default_factory=_demo_accounts)
    readers: dict[PublicId, Account] = Field(
        default_factory=lambda: {"sip:poc.ims.example": Account(password=SecretStr("poc"))}
    )
    asserted_peers: Annotated[list[Annotated[str, _checked(_check_peer)]], BeforeValidator(_commas)] = []
    lenient_content_type: bool = True  # takes a whole document sent as form data or without Content-Type
    max_document_size: Annotated[int, Field(ge=1, le=1 << 20)] = 1 << 20  # bytes; no more are read as XML
    tls: TlsSettings = Field(default_factory=TlsSettings)
    max_documents: Annotated[int, Field(ge=1)] = 100  # of each user


class ClientSettings(Section):
    listen: Listens = ["udp:127.0.0.1:5090", "tcp:127.0.0.1:5090"]
    transport: Literal["udp", "tcp", "tls"] = "udp"  # where neither a URI nor [hosts] names one
    advertise: Advertise = ""
    private_id: Annotated[str, Field(min_length=1)] = "alice@ims.example"
    public_id: PublicId = "sip:alice@ims.example"
    password: SecretStr = SecretStr("alice")
    registrar: SipUriText = "sip:ims.example"
    outbound: str = ""
    expires: Expires = 600_000
    answer_mode: Literal["automatic", "manual"] = "automatic"
    barring: bool = False
    publish: bool = True
    on_conflict: Literal["override", "keep"] = "override"
    instance: Annotated[str, _checked(_expect(r"urn:\S+", "must be a URN such as urn:uuid:..."))] = ""
    tls: TlsSettings = Field(default_factory=TlsSettings)
    hosts: Hosts = {}

    @model_validator(mode="after")
    def _consistent(self) -> "ClientSettings":
        spoken = {parse_listen(entry).transport for entry in self.listen}
        if self.transport == "tcp" and not spoken & {"tcp", ""}:
            raise _key_fault("transport", "tcp needs a listener of its own: add tcp:HOST:PORT to client.listen")
        if self.transport == "tls" and "tls" not in spoken:
            raise _key_fault("transport", "tls needs a listener of its own: add tls:HOST:PORT to client.listen")
        if self.registrar[:5].lower() == "sips:" and "tls" not in spoken:
            raise _key_fault("registrar", "sips needs a listener of its own: add tls:HOST:PORT to client.listen")
        _need_advertise(self.listen, self.advertise, "listen", "advertise")
        return self


class Settings(BaseSettings):
    """The whole tree. Built directly it reads nothing but its arguments."""

    model_config = SettingsConfigDict(extra="forbid", validate_default=True)

    state: str = ""
    store: Literal["sqlite", "memory"] = "sqlite"
    hosts: Annotated[Hosts, BeforeValidator(_over_demo_hosts)] = Field(default_factory=dict)
    trust: Trust = Field(default_factory=Trust)
    timers: TimerSettings = Field(default_factory=TimerSettings)
    limits: LimitSettings = Field(default_factory=LimitSettings)
    dns: DnsSettings = Field(default_factory=DnsSettings)
    trace: TraceSettings = Field(default_factory=TraceSettings)
    tls: TlsSettings = Field(default_factory=TlsSettings)
    log: LogSettings = Field(default_factory=LogSettings)
    core: CoreSettings = Field(default_factory=CoreSettings)
    server: ServerSettings = Field(default_factory=ServerSettings)
    xdms: XdmsSettings = Field(default_factory=XdmsSettings)
    client: ClientSettings = Field(default_factory=ClientSettings)

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *_: Any, **__: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)

    def hosts_for(self, daemon: str) -> dict[str, str]:
        """The [hosts] table with the daemon's own laid over it."""
        own: dict[str, str] = getattr(getattr(self, daemon), "hosts", {})
        return {**self.hosts, **own}

    def tls_for(self, daemon: str) -> TlsSettings:
        """The [tls] table with the daemon's own laid over it."""
        own: TlsSettings = getattr(self, daemon).tls
        return own.over(self.tls)
