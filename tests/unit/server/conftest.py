"""The PoC server on a bench: literal SIP text from the core in, what it sends out, a clock that moves when told to."""

import itertools
import json

import pytest

from talkburst.sip.engine import Engine, Send
from talkburst.sip.flow import Flow, Listener
from talkburst.sip.journal import Journal
from talkburst.sip.message import Request, Response, response_to
from talkburst.sip.parser import parse_message
from talkburst.xml.poc_settings import from_xml
from talkburst_server.server import PocServer, ServerPolicy

START = 1_763_800_000.0
SERVER = ("127.0.0.1", 5070)
CORE = ("127.0.0.1", 5054)
STRANGER = ("192.0.2.66", 5060)

ALICE = "sip:alice@ims.example"
PHONE = "sip:+12025550101@ims.example;user=phone"
TEL = "tel:+12025550101"
INSTANCE = "urn:uuid:00000000-0000-4000-8000-000000000001"
INSTANCE_2 = "urn:uuid:00000000-0000-4000-8000-000000000002"


def contact_xml(number, *, host="127.0.0.1:5090", instance=INSTANCE, tag="", state="active", event="registered"):
    """A contact of a reginfo document; `tag` None leaves the PoC tag out."""
    params = "" if tag is None else f'<unknown-param name="+g.poc.talkburst">{tag}</unknown-param>'
    if instance:
        params += f'<unknown-param name="+sip.instance">"&lt;{instance}&gt;"</unknown-param>'
    return f'<contact id="c{number}" state="{state}" event="{event}"><uri>sip:alice@{host}</uri>{params}</contact>'


def reginfo(*contacts, version=0, aors=(ALICE, PHONE, TEL), state="active", kind="full"):
    """A reginfo document that shows the same contacts under each address."""
    registrations = "".join(
        f'<registration aor="{aor}" id="r{number}" state="{state}">{"".join(contacts)}</registration>'
        for number, aor in enumerate(aors)
    )
    namespace = "urn:ietf:params:xml:ns:reginfo"
    return f'<reginfo xmlns="{namespace}" version="{version}" state="{kind}">{registrations}</reginfo>'


def settings(entity, mode="automatic", barring="false"):
    """A poc-settings document with one entity."""
    return (
        '<poc-settings xmlns="urn:oma:params:xml:ns:poc:poc-settings">'
        f'<entity id="{entity}"><isb-settings><incoming-session-barring active="{barring}"/></isb-settings>'
        f"<am-settings><answer-mode>{mode}</answer-mode></am-settings></entity></poc-settings>"
    )


class ServerBench:
    """What the journal says is on `disk` at once: table, key, row."""

    def __init__(self, **options):
        self.now = START
        self.disk = {}
        self.options = options
        self.sent = []
        self.decisions = []
        self.fetched = []
        self.forgotten = []
        self.reg_dialog = None
        self._numbers = itertools.count(1)
        self._branches = itertools.count(1)
        self._cseq = itertools.count(100)
        self._begin()

    def _token(self):
        return f"s{next(self._numbers)}"

    def _begin(self):
        self.journal = Journal()
        self.engine = Engine(None, token=self._token, hosts={"scscf.ims.example": f"{CORE[0]}:{CORE[1]}"})
        self.engine.add_listener(Listener("main", "UDP", *SERVER, advertised=SERVER))
        self.server = PocServer(
            self.engine,
            self._token,
            ServerPolicy(uri="sip:poc.ims.example", **self.options),
            trusted=lambda flow: flow.remote[0] == CORE[0],
            fetch=lambda addresses, now: self.fetched.append(list(addresses)),
            forget=lambda addresses: self.forgotten.append(list(addresses)),
            decide=lambda what, facts: self.decisions.append((what, dict(facts))),
            journal=self.journal,
        )
        self.engine.user = self.server.uas

    def restart(self, after=0.0):
        """Killed, down for some seconds, up again: what is sent at once then."""
        self.now += after
        self._begin()
        self.server.restore(self.tables(), self.now)
        return self.advance(0)

    def tables(self):
        """What is on disk, as a store gives it."""
        return json.loads(json.dumps(self.disk))

    def store(self):
        for table, key, row in self.journal.take():
            rows = self.disk.setdefault(table, {})
            if row is None:
                rows.pop(key, None)
            else:
                rows[key] = json.loads(json.dumps(row))

    # What the shell does

    def receive(self, data, source=CORE):
        """What the server sends because of a message."""
        data = data if isinstance(data, bytes) else data.encode("utf-8", "surrogateescape")
        self.engine.receive(data, Flow("UDP", SERVER, source, listener="main"), self.now)
        return self.collect()

    def collect(self):
        self.store()
        news = []
        for action in self.engine.take():
            assert isinstance(action, Send), action
            message = parse_message(action.data)
            assert isinstance(message, Request | Response), message
            news.append(message)
        self.sent += news
        return news

    def advance(self, seconds):
        """Let time pass, deadline by deadline; NOTIFYs are answered on the way."""
        end, news = self.now + seconds, []
        while (due := self.engine.next_deadline()) is not None and due <= end:
            self.now = max(self.now, due)
            self.engine.handle_timer(self.now)
            batch = self.collect()
            news += batch
            self._take_reg_subscribe(batch)
            self.acknowledge(batch)
        self.now = end
        return news

    # What the core does

    def request(self, method, uri, *lines, body="", source=CORE, **headers):
        """A request with everything it needs; keyword arguments replace or remove (None) single headers."""
        number = next(self._branches)
        given = {
            "Via": f"SIP/2.0/UDP {CORE[0]}:{CORE[1]};branch=z9hG4bKc{number}",
            "Max-Forwards": "70",
            "From": "<sip:scscf.ims.example>;tag=core",
            "To": f"<{uri}>",
            "Call-ID": f"core{number}",
            "CSeq": f"{number} {method}",
            "Contact": f"<sip:{CORE[0]}:{CORE[1]}>",
        }
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        text = [f"{method} {uri} SIP/2.0", *(f"{name}: {value}" for name, value in given.items() if value is not None)]
        return self.receive("\r\n".join([*text, *lines, f"Content-Length: {len(body)}", "", body]), source)

    def third_party(self, to=ALICE, expires=3600, **headers):
        """A third-party REGISTER, and everything it makes the server send."""
        news = self.request("REGISTER", "sip:poc.ims.example", **{"To": f"<{to}>", "Expires": str(expires), **headers})
        self._take_reg_subscribe(news)
        return news

    def _take_reg_subscribe(self, news):
        for message in news:
            if isinstance(message, Request) and message.method == "SUBSCRIBE":
                self.subscribe = message

    def answer(self, request, status, *headers):
        """The core's answer to a request of the server."""
        news = self.receive(response_to(request, status, to_tag="notifier", headers=headers).to_bytes())
        self._take_reg_subscribe(news)
        return news

    def accept_reg(self, expires=600_000):
        """200 to the reg SUBSCRIBE of the server."""
        return self.answer(self.subscribe, 200, ("Expires", expires), ("Contact", f"<sip:{CORE[0]}:{CORE[1]}>"))

    def notify_reg(self, body, state="active;expires=600000", source=CORE, **headers):
        """A NOTIFY in the dialog of the server's reg subscription."""
        news = self.request(
            "NOTIFY",
            f"sip:{SERVER[0]}:{SERVER[1]}",
            body=body,
            source=source,
            **{
                "From": f"<{self.subscribe.parsed_uri}>;tag=notifier",
                "To": str(self.subscribe.get("From")),
                "Call_ID": self.subscribe.call_id,
                "CSeq": f"{next(self._cseq)} NOTIFY",
                "Event": "reg",
                "Subscription_State": state,
                "Content_Type": "application/reginfo+xml" if body else None,
                **headers,
            },
        )
        self._take_reg_subscribe(news)
        self.acknowledge(news)
        return news

    def watch(self, uri=ALICE, asserted=f"<{ALICE}>", source=CORE, **headers):
        """SUBSCRIBE poc-settings, and the server's answer with the NOTIFY that follows."""
        defaults = {
            "From": f"<{uri}>;tag=watcher{next(self._cseq)}",
            "Event": "poc-settings",
            "Expires": "3600",
            "P_Asserted_Identity": asserted,
            "Record_Route": f"<sip:{CORE[0]}:{CORE[1]};lr>",
        }
        news = self.request("SUBSCRIBE", uri, source=source, **{**defaults, **headers})
        self.acknowledge(news)
        return news

    def publish(
        self,
        body="",
        uri=ALICE,
        asserted=f"<{ALICE}>",
        etag=None,
        expires="3600",
        host="127.0.0.1:5090",
        source=CORE,
        **headers,
    ):
        """PUBLISH poc-settings of a client that is reached at `host`, and what the server sends then."""
        number = next(self._branches)
        defaults = {
            "Via": f"SIP/2.0/UDP 127.0.0.1:5054;branch=z9hG4bKp{number}, SIP/2.0/UDP {host};branch=z9hG4bKq{number}",
            "From": f"<{uri}>;tag=p{number}",
            "Contact": None,
            "Event": "poc-settings",
            "Expires": expires,
            "P_Asserted_Identity": asserted,
            "SIP_If_Match": etag,
            "Content_Type": "application/poc-settings+xml" if body else None,
        }
        news = self.request("PUBLISH", uri, body=body, source=source, **{**defaults, **headers})
        self.acknowledge(news)
        return news

    def acknowledge(self, news):
        """200 to every NOTIFY among `news`."""
        for message in news:
            if isinstance(message, Request) and message.method == "NOTIFY":
                self.receive(response_to(message, 200, to_tag=message.to.tag).to_bytes())

    # What to look at

    def said(self, part):
        """The facts of every decision whose text has `part`."""
        return [facts for what, facts in self.decisions if part in what]


def lines(news):
    return [message.start_line for message in news]


def entities(message):
    """Entity id: answer mode of a NOTIFY's document."""
    return {entity.id: entity.answer_mode for entity in from_xml(message.body).entities}


def notifies(news):
    return [each for each in news if isinstance(each, Request) and each.method == "NOTIFY"]


@pytest.fixture
def bench():
    return ServerBench()


@pytest.fixture
def make_bench():
    return ServerBench


@pytest.fixture
def registered(bench):
    """A bench where alice's first client is registered and the reg event has told it."""
    bench.third_party()
    bench.accept_reg()
    bench.notify_reg(reginfo(contact_xml(1)))
    return bench


@pytest.fixture
def text():
    """The functions that write and read documents."""

    class Text:
        contact = staticmethod(contact_xml)
        reginfo = staticmethod(reginfo)
        settings = staticmethod(settings)
        lines = staticmethod(lines)
        entities = staticmethod(entities)
        notifies = staticmethod(notifies)

    return Text
