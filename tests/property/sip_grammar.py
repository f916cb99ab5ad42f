"""What RFC 3261 25.1 lets a peer write, fragment by fragment: the text beside the value that it stands for."""

from hypothesis import strategies as st

from talkburst.sip.headers import NameAddr
from talkburst.sip.uri import OtherUri, SipUri, TelUri, Uri
from talkburst.sip.uri_parts import Params

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
DIGITS = "0123456789"
# unreserved = alphanum / mark
UNRESERVED = LETTERS + DIGITS + "-_.!~*'()"
# token = 1*(alphanum / "-" / "." / "!" / "%" / "*" / "_" / "+" / "`" / "'" / "~" )
TOKEN = LETTERS + DIGITS + "-.!%*_+`'~"
# callid = word [ "@" word ]
WORD = TOKEN + '()<>:\\"/[]?{}'
# qdtext and UTF8-NONASCII, and some that have to be escaped
QUOTED = LETTERS + ' ,;<>@:=?/\t"\\é日🙂'
# user = 1*( unreserved / escaped / user-unreserved )
USER = UNRESERVED + "&=+$,;?/"
# paramchar = param-unreserved / unreserved / escaped
PARAMETER = UNRESERVED + "[]/:&+$"
# hname and hvalue = *( hnv-unreserved / unreserved / escaped )
URI_HEADER = UNRESERVED + "[]/?:+$"

# SWS = [LWS]; LWS = [*WSP CRLF] 1*WSP, folds among them (RFC 3261 7.3.1)
SWS = st.sampled_from(["", "", "", "", "", " ", "\t", "  ", "\r\n ", " \r\n\t"])
LWS = st.sampled_from([" ", " ", " ", "\t", " \t ", "\r\n "])

tokens = st.text(TOKEN, min_size=1, max_size=6)


@st.composite
def cased(draw: st.DrawFn, text: str) -> str:
    """A text whose case does not count, in one of its cases."""
    return draw(st.sampled_from([text, text.lower(), text.upper(), text.swapcase()]))


@st.composite
def escaping(draw: st.DrawFn, alphabet: str, min_size: int = 1) -> str:
    """Characters of `alphabet`, and escapes of any byte."""
    text = draw(st.text(alphabet, min_size=min_size, max_size=8))
    if draw(st.integers(0, 3)):
        return text
    place = draw(st.integers(0, len(text)))
    return f"{text[:place]}%{draw(st.integers(0, 255)):02{draw(st.sampled_from('xX'))}}{text[place:]}"


@st.composite
def quoted(draw: st.DrawFn) -> tuple[str, str]:
    """A quoted-string, and what it says."""
    said = draw(st.text(QUOTED, max_size=8))
    every = draw(st.booleans())  # a quoted-pair may stand for any ASCII character
    written = "".join(f"\\{c}" if c in '"\\' or (every and c.isascii() and c != "\t") else c for c in said)
    return f'"{written}"', said


# host = hostname / IPv4address / IPv6reference
_NAMES = ["ims.example", "IMS.Example", "a", "x-1.example", "example."]
_IPV4 = ["192.0.2.1", "255.255.255.255"]
_IPV6 = ["[2001:db8::1]", "[::]", "[::FFFF:192.0.2.1]", "[2001:DB8:0:0:0:0:0:9]"]
hosts = st.sampled_from([*_NAMES, *_IPV4, *_IPV6])
ports = st.one_of(st.none(), st.sampled_from([0, 1, 5060, 5061, 65535]))


@st.composite
def uri_params(draw: st.DrawFn) -> tuple[str, Params]:
    """``;lr;transport=udp``, the names in any case."""
    known = ["lr", "transport", "user", "ttl", "maddr", "method", "comp"]
    names = draw(st.lists(st.one_of(st.sampled_from(known), escaping(PARAMETER)), max_size=3, unique_by=str.lower))
    text, params = "", Params()
    for name in names:
        value = draw(st.one_of(st.none(), escaping(PARAMETER)))
        spelled = draw(cased(name))
        text += f";{spelled}" if value is None else f";{spelled}={value}"
        params[name.lower()] = value
    return text, params


@st.composite
def sip_uris(draw: st.DrawFn) -> tuple[str, SipUri]:
    scheme = draw(st.sampled_from(["sip", "sip", "sips"]))
    user = draw(st.one_of(st.none(), escaping(USER), st.sampled_from(["a,b", "a;b?c", "+1(2)"])))
    password = None if user is None else draw(st.one_of(st.none(), st.none(), escaping(UNRESERVED + "&=+$,", 0)))
    host, port = draw(hosts), draw(ports)
    params_text, params = draw(uri_params())
    headers = draw(st.one_of(st.none(), st.none(), st.lists(uri_header(), min_size=1, max_size=2).map("&".join)))
    text = f"{draw(cased(scheme))}:"
    if user is not None:
        text += f"{user}@" if password is None else f"{user}:{password}@"
    text += host + ("" if port is None else f":{port}") + params_text + ("" if headers is None else f"?{headers}")
    return text, SipUri(scheme, user, host.lower(), port, params, headers, password)


def uri_header() -> st.SearchStrategy[str]:
    return st.tuples(escaping(URI_HEADER), escaping(URI_HEADER, 0)).map("=".join)


@st.composite
def tel_uris(draw: st.DrawFn) -> tuple[str, TelUri]:
    number = draw(st.sampled_from(["+12025550101", "+1-(202)-555.0101", "911", "*21#", "00A1b2"]))
    text, params = draw(uri_params())
    if not number.startswith("+"):
        context = draw(st.sampled_from(["ims.example", "+1", "Example"]))
        if "phone-context" not in params:
            text, params = f";phone-context={context}{text}", {"phone-context": context, **params}
    return f"{draw(cased('tel'))}:{number}{text}", TelUri(number, params)


other_uris = st.sampled_from(["urn:service:sos", "mailto:a@b.example", "http://h/p?q=1,2;3", "x-y.z+1:%20;?"]).map(
    lambda text: (text, OtherUri(*text.split(":", 1)))
)

uris = st.one_of(sip_uris(), sip_uris(), tel_uris(), other_uris)


@st.composite
def params(draw: st.DrawFn, own: Params | None = None) -> tuple[str, Params]:
    """generic-param, and those in `own`, with blanks around the separators; values are kept with their quotes."""
    names = draw(st.lists(tokens, max_size=3, unique_by=str.lower))
    wanted = Params(own or {})
    for name in names:
        value = draw(st.one_of(st.none(), tokens, hosts, quoted().map(lambda pair: pair[0])))
        wanted.setdefault(name.lower(), value)
    text = ""
    for name, value in wanted.items():
        text += f"{draw(SWS)};{draw(SWS)}{draw(cased(name))}"
        if value is not None:
            text += f"{draw(SWS)}={draw(SWS)}{value}"
    return text, wanted


@st.composite
def name_addrs(draw: st.DrawFn, own: Params | None = None, brackets: bool = False) -> tuple[str, NameAddr]:
    """``"Alice" <sip:alice@ims.example>;tag=1`` or its forms without display name and without brackets."""
    uri_text, uri = draw(uris)
    params_text, header_params = draw(params(own))
    form = draw(st.sampled_from(["bare", "brackets", "token", "quoted"]))
    if brackets or (form == "bare" and set(uri_text) & set(",?;")):
        form = "brackets"
    display, before = "", ""
    if form == "token":  # display-name = *(token LWS)
        words = draw(st.lists(tokens, min_size=1, max_size=2))
        display, before = " ".join(words), " ".join(words) + draw(LWS)
    elif form == "quoted":
        before, display = draw(quoted())
        before += draw(SWS)
    written = uri_text if form == "bare" else f"{before}<{uri_text}>"
    return written + params_text, NameAddr(display, uri, header_params)


def written_uri(pair: tuple[str, Uri]) -> str:
    return pair[0]
