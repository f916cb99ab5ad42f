"""The settings of all daemons: one tree, one file. The defaults fit together: they are the demo world.

`configuration.load` fills the tree from flags, environment, file and these defaults, in that order of precedence.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from talkburst.daemon.address import parse_endpoint, parse_listen, parse_name_server
from talkburst.daemon.setting_values import (
    Advertise,
    Count,
    Domain,
    Expires,
    FlowTimer,
    Hosts,
    HttpUrl,
    Listens,
    Names,
    PublicId,
    Seconds,
    SipUriText,
    check_peer,
    checked,
    commas,
    expect,
    key_fault,
    need_advertise,
)


class ConfigurationError(Exception):
    """What is wrong with the configuration, each problem a line that says where and what would be right."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


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


class Trust(Section):
    """Whom the listener for servers believes: addresses, names of [hosts], networks."""

    peers: Annotated[list[Annotated[str, checked(check_peer)]], BeforeValidator(commas)] = ["127.0.0.1"]


class TimerSettings(Section):
    """RFC 3261 17.1.1.1, 17.1.2.2, in seconds."""

    t1: Seconds = 0.5
    t2: Seconds = 4.0
    t4: Seconds = 5.0

    @model_validator(mode="after")
    def _in_order(self) -> "TimerSettings":
        if self.t2 < self.t1:
            raise key_fault("t2", f"must be at least t1 ({self.t1:g})")
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

    servers: Annotated[list[Annotated[str, checked(parse_name_server)]], BeforeValidator(commas)] = []
    timeout: Seconds = 2.0


class TraceSettings(Section):
    """Where every message is copied to. In `pcap`, {name} stands for the daemon's name."""

    hep: Annotated[str, checked(parse_endpoint)] = ""
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
    domains: Annotated[list[Domain], BeforeValidator(commas)] = ["ims.mnc001.mcc001.3gppnetwork.org"]
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
        list[Literal["bare-username", "short-nonce-count", "qop-without-count"]], BeforeValidator(commas)
    ] = ["bare-username", "short-nonce-count", "qop-without-count"]
    notify_interval: Annotated[float, Field(ge=0)] = 5.0
    liveness: Seconds = 5.0
    notify_first: bool = False
    tls: TlsSettings = Field(default_factory=TlsSettings)
    hosts: Hosts = {}

    @model_validator(mode="after")
    def _consistent(self) -> "CoreSettings":
        need_advertise(self.listen, self.advertise, "listen", "advertise")
        need_advertise(self.listen_servers, self.advertise_servers, "listen_servers", "advertise_servers")
        if self.expires_max < self.expires_min:
            raise key_fault("expires_max", f"must be at least expires_min ({self.expires_min})")
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
        need_advertise(self.listen, self.advertise, "listen", "advertise")
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
    root: Annotated[str, Field(min_length=1), checked(expect(r"/\S*", "must be a path such as /xcap-root"))] = (
        "/xcap-root"
    )
    accounts: dict[PublicId, Account] = Field(default_factory=_demo_accounts)
    readers: dict[PublicId, Account] = Field(
        default_factory=lambda: {"sip:poc.ims.example": Account(password=SecretStr("poc"))}
    )
    asserted_peers: Annotated[list[Annotated[str, checked(check_peer)]], BeforeValidator(commas)] = []
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
    instance: Annotated[str, checked(expect(r"urn:\S+", "must be a URN such as urn:uuid:..."))] = ""
    tls: TlsSettings = Field(default_factory=TlsSettings)
    hosts: Hosts = {}

    @model_validator(mode="after")
    def _consistent(self) -> "ClientSettings":
        spoken = {parse_listen(entry).transport for entry in self.listen}
        if self.transport == "tcp" and not spoken & {"tcp", ""}:
            raise key_fault("transport", "tcp needs a listener of its own: add tcp:HOST:PORT to client.listen")
        if self.transport == "tls" and "tls" not in spoken:
            raise key_fault("transport", "tls needs a listener of its own: add tls:HOST:PORT to client.listen")
        if self.registrar[:5].lower() == "sips:" and "tls" not in spoken:
            raise key_fault("registrar", "sips needs a listener of its own: add tls:HOST:PORT to client.listen")
        need_advertise(self.listen, self.advertise, "listen", "advertise")
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
