"""Header fields as RFC 3261 20 and 25.1, RFC 6665 8.4 and RFC 3261 22 let them be written, beside what they say."""

from dataclasses import dataclass, field

from hypothesis import strategies as st

from sip_grammar import LWS, SWS, WORD, cased, hosts, name_addrs, params, ports, quoted, tokens
from talkburst.sip.headers import AuthHeader, ContentType, CSeq, Event, NameAddr, SubscriptionState, Via

METHODS = ["REGISTER", "INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "SUBSCRIBE", "NOTIFY", "PUBLISH", "MESSAGE"]
SPELLED = {"call-id": "Call-ID", "cseq": "CSeq", "www-authenticate": "WWW-Authenticate"}
# RFC 3261 7.3.3 and RFC 6665 8.4
COMPACT_OF = {"via": "v", "from": "f", "to": "t", "call-id": "i", "contact": "m", "content-type": "c", "event": "o"}
COMPACT_OF |= {"subject": "s", "content-length": "l"}


@dataclass
class Field:
    """One header line, and the typed value the stack is to make of it (`said` is None where it has none)."""

    key: str
    line: str
    said: object = None


@dataclass
class Fields:
    lines: list[Field] = field(default_factory=list)

    def said(self, key: str) -> list[object]:
        """What the lines of one name say, elements of lists in one row."""
        found: list[object] = []
        for line in self.lines:
            if line.key == key:
                found += line.said if isinstance(line.said, list) else [line.said]
        return found


@st.composite
def fields(draw: st.DrawFn, key: str, values: st.SearchStrategy[tuple[str, object]]) -> Field:
    """``name HCOLON value``, the name in any case or in its compact form."""
    usual = SPELLED.get(key, key.title())
    name = draw(st.one_of(cased(usual), cased(COMPACT_OF.get(key, usual))))
    text, said = draw(values)
    before = draw(st.sampled_from(["", "", "", " ", "\t "]))  # HCOLON = *( SP / HTAB ) ":" SWS
    after = draw(st.sampled_from(["", " ", " ", "\t", "\r\n ", " \r\n\t"]))
    return Field(key, f"{name}{before}:{after}{text}{draw(st.sampled_from(['', '', ' ', chr(9)]))}", said)


@st.composite
def listed(draw: st.DrawFn, elements: st.SearchStrategy[tuple[str, object]]) -> tuple[str, list[object]]:
    """1#element, with blanks around the commas."""
    chosen = draw(st.lists(elements, min_size=1, max_size=3))
    text = chosen[0][0]
    for element, _ in chosen[1:]:
        text += f"{draw(SWS)},{draw(SWS)}{element}"
    return text, [said for _, said in chosen]


@st.composite
def vias(draw: st.DrawFn) -> tuple[str, Via]:
    transport = draw(st.sampled_from(["UDP", "TCP", "TLS", "SCTP", "Token"]))
    branch = "z9hG4bK" + draw(tokens)
    own = draw(st.sampled_from([{}, {"rport": None}, {"received": "2001:db8::9"}, {"rport": "5060"}]))
    params_text, said = draw(params({"branch": branch, **own}))
    slash = draw(st.sampled_from(["/", "/", "/", " / ", "/\t", " /"]))
    host, port = draw(hosts), draw(ports)
    sent_by = host if port is None else f"{host}{draw(st.sampled_from([':', ':', ' : ', ': ']))}{port}"
    protocol = slash.join([draw(cased("SIP")), "2.0", draw(cased(transport))])
    return f"{protocol}{draw(LWS)}{sent_by}{params_text}", Via(transport.upper(), host, port, said)


@st.composite
def auths(draw: st.DrawFn, credentials: bool) -> tuple[str, AuthHeader]:
    """A Digest challenge or Digest credentials; quoted values come back as what they say."""
    names = ["realm", "nonce", "opaque"] + (["username", "uri", "response", "cnonce"] if credentials else ["domain"])
    said: dict[str, str] = {}
    written = []
    for name in names:
        text, value = draw(quoted())
        said[name] = value
        written.append(f"{draw(cased(name))}{draw(SWS)}={draw(SWS)}{text}")
    bare = {"algorithm": draw(st.sampled_from(["MD5", "SHA-256", "x"]))}
    bare |= {"qop": "auth", "nc": "00000001"} if credentials else {"stale": "TRUE"}
    for name, value in bare.items():
        said[name] = value
        written.append(f"{name}={value}")
    text = written[0]
    for each in written[1:]:
        text += f"{draw(SWS)},{draw(SWS)}{each}"
    return f"{draw(cased('Digest'))}{draw(LWS)}{text}", AuthHeader("Digest", said)


@st.composite
def of_params(draw: st.DrawFn, kind: type, values: st.SearchStrategy[str]) -> tuple[str, object]:
    """``value;params``, as Event, Subscription-State and Content-Type are."""
    value = draw(values)
    text, said = draw(params())
    kept = value if kind is Event else value.lower()
    return value + text, kind(kept, said)


numbers = st.tuples(st.sampled_from(["", "0", "00"]), st.integers(0, 255)).map(lambda n: (f"{n[0]}{n[1]}", n[1]))
media_types = st.sampled_from(["application/reginfo+xml", "Text/Plain", "multipart/mixed", "a/b"])
wildcards = st.just(("*", "*"))
lines = st.text("abc ,;:<>\"'é日\t", max_size=8).map(lambda text: text.strip(" \t"))
# TEXT-UTF8-TRIM: a fold stands for one blank (RFC 3261 7.3.1)
texts = st.lists(lines.filter(bool), max_size=3).map(lambda parts: ("\r\n \t".join(parts), " ".join(parts)))
call_ids = st.tuples(st.text(WORD, min_size=1, max_size=8), st.sampled_from(["", "@ims.example"])).map("".join)


def cseqs(method: str) -> st.SearchStrategy[tuple[str, CSeq]]:
    return st.tuples(st.sampled_from([0, 1, 4711, 2**31 - 1]), LWS).map(
        lambda drawn: (f"{drawn[0]}{drawn[1]}{method}", CSeq(drawn[0], method))
    )


def mandatory(method: str) -> list[st.SearchStrategy[Field]]:
    """What every request and response has (RFC 3261 8.1.1); To with a tag or without."""
    addresses: st.SearchStrategy[tuple[str, NameAddr]] = st.one_of(name_addrs(), name_addrs({"tag": "b-2"}))
    return [
        fields("via", listed(vias())),
        fields("from", name_addrs({"tag": "a-1"})),
        fields("to", addresses),
        fields("call-id", call_ids.map(lambda text: (text, text))),
        fields("cseq", cseqs(method)),
    ]


ONCE: list[st.SearchStrategy[Field]] = [
    fields("max-forwards", numbers),
    fields("expires", numbers),
    fields("event", of_params(Event, tokens)),
    fields("subscription-state", of_params(SubscriptionState, tokens)),
    fields("content-type", of_params(ContentType, media_types)),
]
ANY_NUMBER: list[st.SearchStrategy[Field]] = [
    fields("via", listed(vias())),
    fields("contact", st.one_of(listed(name_addrs()), wildcards)),
    fields("route", listed(name_addrs(brackets=True))),
    fields("record-route", listed(name_addrs(brackets=True))),
    fields("authorization", auths(credentials=True)),
    fields("www-authenticate", auths(credentials=False)),
    fields("subject", texts),
    fields("user-agent", texts),
    tokens.flatmap(lambda name: fields(f"x-{name.lower()}", texts)),
]
