"""The client among engines, on one virtual clock: a core of literal answers, or the real core and the PoC server."""

import itertools

import pytest

from talkburst.daemon.trust import Trust
from talkburst.sip.digest import DigestClient
from talkburst.sip.engine import Connect, Engine, Send
from talkburst.sip.flow import Flow, Listener
from talkburst.sip.message import Request, Response, response_to
from talkburst.sip.parser import parse_message
from talkburst.ua.account import Account
from talkburst.ua.client import PocClient
from talkburst.ua.settings import Wishes
from talkburst_core import credentials, profile
from talkburst_core.core import Core
from talkburst_core.daemon import world
from talkburst_core.policy import Policy
from talkburst_server.server import PocServer, ServerPolicy

START = 1_763_800_000.0
HOSTS = {
    "ims.example": "127.0.0.1:5060",
    "ims.mnc001.mcc001.3gppnetwork.org": "127.0.0.1:5060",
    "scscf.ims.example": "127.0.0.1:5054",
    "poc.ims.example": "127.0.0.1:5070",
}
CORE = ("127.0.0.1", 5060)
INSTANCE = "urn:uuid:00000000-0000-4000-8000-{:012d}"


class Network:
    """Engines by the addresses of their listeners; datagrams arrive at once, unless `drop` says otherwise.

    With `tcp` every listener has both transports. `closed` are addresses that take no connections, `streams` those that
    are open: the two ends of each, an end being an engine and its flow.
    """

    def __init__(self, tcp=False, hosts=HOSTS):
        self.tcp = tcp
        self.hosts = hosts
        self.closed = set()
        self.streams = []
        self.ports = itertools.count(40_001)
        self.now = START
        self.engines = {}
        self.log = []
        self.drop = lambda message, source, target: False
        self.numbers = itertools.count(1)

    def token(self):
        return f"t{next(self.numbers)}"

    def engine(self, usual="UDP", **listeners):
        engine = Engine(None, token=self.token, hosts=self.hosts, usual=usual)
        for name, address in listeners.items():
            for transport in ("UDP", "TCP") if self.tcp else ("UDP",):
                engine.add_listener(Listener(name, transport, *address, advertised=address))
            self.engines[address] = (engine, name)
        return engine

    def run(self, seconds=0.0):
        """Let messages pass and time go by, deadline by deadline."""
        end = self.now + seconds
        while True:
            if self._exchange():
                continue
            engines = {engine for engine, _ in self.engines.values()}
            deadlines = [at for engine in engines if (at := engine.next_deadline()) is not None]
            due = min(deadlines, default=None)
            if due is None or due > end:
                break
            self.now = max(self.now, due)
            for engine in engines:
                engine.handle_timer(self.now)
        self.now = end

    def _exchange(self):
        passed = False
        for address, (engine, _) in list(self.engines.items()):
            for action in engine.take():
                passed = True
                if isinstance(action, Connect):
                    self._connect(engine, action.flow)
                elif isinstance(action, Send) and action.flow.connection:
                    self._write(engine, action)
                else:
                    assert isinstance(action, Send), action
                    self._carry(action, address)
        return passed

    def _connect(self, engine, flow):
        if flow.remote not in self.engines or flow.remote in self.closed:
            engine.transport_failed(flow, self.now)
            return
        other, name = self.engines[flow.remote]
        taken = other.accepted(other.listener(name, "TCP"), (flow.local[0], next(self.ports)))
        self.streams.append(((engine, flow), (other, taken)))
        engine.connected(flow, self.now)

    def _write(self, engine, send):
        ends = [ends for ends in self.streams if (engine, send.flow) in ends]
        assert ends, "sent on a connection that is not open"
        ((other, flow),) = (end for end in ends[0] if end != (engine, send.flow))
        self.log.append((send.flow.local, flow.local, parse_message(send.data)))
        other.receive(send.data, flow, self.now)

    def cut(self, port):
        """Ends every connection with the engine that listens on this port of 127.0.0.1."""
        engine, _ = self.engines["127.0.0.1", port]
        for ends in [ends for ends in self.streams if engine in (ends[0][0], ends[1][0])]:
            self.streams.remove(ends)
            for end, flow in ends:
                end.transport_failed(flow, self.now)

    def opened(self):
        """Which engine opened a connection to which, as `port>port`."""
        return sorted(f"{flow.local[1]}>{flow.remote[1]}" for (_, flow), _ in self.streams)

    def _carry(self, send, address):
        message = parse_message(send.data)
        assert isinstance(message, Request | Response), message
        source, target = send.flow.local, send.flow.remote
        if self.drop(message, source, target):
            return
        self.log.append((source, target, message))
        if target in self.engines:
            engine, name = self.engines[target]
            engine.receive(send.data, Flow("UDP", target, source, listener=name), self.now)
        else:
            engine, name = self.engines[source]
            engine.transport_failed(Flow("UDP", source, target, listener=name), self.now)

    def lines(self, source=None, target=None):
        """What was seen, as `port>port start line`; each direction may be narrowed down by port."""
        return [
            f"{from_[1]}>{to[1]} {brief(message)}"
            for from_, to, message in self.log
            if source in (None, from_[1]) and target in (None, to[1])
        ]

    def requests(self, method, source=None):
        return [
            message
            for from_, _, message in self.log
            if isinstance(message, Request) and message.method == method and source in (None, from_[1])
        ]


def brief(message):
    """Method, package and what is special; or the status and what it answers."""
    if isinstance(message, Response):
        return f"{message.status} {message.cseq.method}"
    event = message.get("Event")
    return f"{message.method}{f' {event}' if event else ''}"


class Device:
    """One client on a network."""

    def __init__(self, network, *, port=5090, number=1, private_id="alice@ims.example", etag=None, **wishes):
        public_id = wishes.pop("public_id", "sip:alice@ims.example")
        domain = private_id.rpartition("@")[2]
        password = wishes.pop("password", private_id.partition("@")[0].partition("-")[0])
        self.network = network
        self.engine = network.engine(wishes.pop("transport", "UDP"), main=("127.0.0.1", port))
        self.decisions = []
        self.refused = []
        self.etags = {}
        self.account = Account(
            private_id,
            public_id,
            f"sip:{domain}",
            INSTANCE.format(number),
            expires=wishes.pop("expires", 600_000),
            outbound=wishes.pop("outbound", ""),
            initial_authorization=wishes.pop("initial_authorization", True),
        )
        self.client = PocClient(
            self.engine,
            network.token,
            DigestClient(private_id, password),
            self.account,
            Wishes(**wishes),
            on_refused=self.refused.append,
            decide=lambda what, facts: self.decisions.append((what, dict(facts))),
            etag=lambda address: etag,
            on_etag=lambda address, value: self.etags.update({address: value}),
        )
        self.engine.user = self.client.uas

    def start(self, seconds=1.0):
        self.client.start(self.network.now)
        self.network.run(seconds)

    def stop(self, seconds=5.0):
        """Take leave; the seconds that it took, None when it is not over yet."""
        over = []
        begun = self.network.now
        self.client.stop(begun, over.append)
        self.network.run(seconds)
        return over[0] - begun if over else None

    def said(self, part):
        return [facts for what, facts in self.decisions if part in what]

    @property
    def shown(self):
        return self.client.show(self.network.now)


class World(Network):
    """The demo world: the real core and PoC server."""

    def __init__(self, *, notify_first=False, with_server=True, tcp=False, hosts=HOSTS, **policy):
        super().__init__(tcp, hosts)
        self.decisions = []
        self.fetched = []
        self.policy = Policy(domains=("ims.mnc001.mcc001.3gppnetwork.org",), notify_first=notify_first, **policy)
        self.start_core()
        self.notify_first = notify_first
        if with_server:
            self.start_server()

    def start_core(self):
        """A core that knows nothing of what was before."""
        engine = self.engine(clients=CORE, servers=("127.0.0.1", 5054))
        files = {file.name: file.read_bytes() for file in (world() / "profiles").iterdir()}
        subscribers, _ = profile.load(files.items())
        self.core = Core(
            subscribers,
            credentials.load("credentials.toml", (world() / "credentials.toml").read_text("utf-8")),
            self.policy,
            Trust(["127.0.0.1"], HOSTS),
            engine,
            nonce_key=b"k" * 32,
            decide=self.decide,
        )

    def decide(self, what, facts):
        self.decisions.append((what, dict(facts)))

    def start_server(self):
        engine = self.engine(main=("127.0.0.1", 5070))
        self.server = PocServer(
            engine,
            self.token,
            ServerPolicy(uri="sip:poc.ims.example", notify_first=self.notify_first),
            trusted=lambda flow: flow.remote == ("127.0.0.1", 5054) or flow.reliable,  # from whatever port
            fetch=lambda addresses, now: self.fetched.append(list(addresses)),
            forget=lambda addresses: None,
            decide=self.decide,
        )
        engine.user = self.server.uas

    def stored(self, address="sip:alice@ims.example"):
        """Entity id: answer mode of what the server has for a user."""
        user = self.server.users.of(address)
        return {entity.id: entity.answer_mode for entity in self.server.settings.entities(user)} if user else {}


class LiteralCore:
    """A core that answers REGISTER with what a test gives it, and everything else with 480 and the headers `others`."""

    def __init__(self, network):
        self.network = network
        self.engine = network.engine(main=CORE)
        self.engine.user = self
        self.answers = []
        self.others = []
        self.default = (200, [("Contact", "{contact};expires=3600")])
        self.seen = []

    def on_request(self, transaction, request, now):
        status, headers = 480, self.others
        if request.method == "REGISTER":
            self.seen.append(request)
            status, headers = self.answers.pop(0) if self.answers else self.default
        contact = request.get("Contact") or ""
        given = [(name, str(value).replace("{contact}", contact)) for name, value in headers]
        if status:
            self.engine.respond(transaction, response_to(request, status, to_tag="core", headers=given), now)

    def on_ack(self, request, flow, now): ...

    def on_cancel(self, transaction, now): ...


@pytest.fixture
def network():
    return Network()


@pytest.fixture
def core(network):
    return LiteralCore(network)


@pytest.fixture
def device(network):
    """Makes a client on the network that has the literal core."""
    return lambda **wishes: Device(network, **wishes)


@pytest.fixture
def make_world():
    return World


@pytest.fixture
def make_device():
    return Device
