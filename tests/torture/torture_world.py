"""One running core and one running client, to which every row of the table is sent; what came of each."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import escape

import tomli_w

import torture_invalid
import torture_ipv6
import torture_semantics
import torture_valid
from talkburst.sip.defects import defects
from talkburst.sip.message import Request, Response, response_to
from talkburst.sip.parser import Malformed, parse_message
from torture_ends import Account, Address, End, answer_200
from torture_responses import fitted
from torture_row import DOMAIN, DROPPED, FINE, Row
from torture_streams import over_tcp
from watched import free, watched

ROWS = (*torture_valid.ROWS, *torture_invalid.ROWS, *torture_semantics.ROWS, *torture_ipv6.ROWS)

# Who can register, and what they are called: the users in the Request-URIs of the rows are all `user`.
IDENTITIES = {
    "caller": ("sip:caller@ims.example",),
    "user": (
        "sip:user@ims.example",
        "sip:sips%3Auser%40example.com@ims.example",
        "sip:user;par=u%40example.net@ims.example",
        "sip:1_odd.user~(is-it!not)&isn't+so$/why?,/;;*@ims.example",
    ),
    "registrant": ("sip:registrant@ims.example", "sip:null-%00-null@ims.example"),
}
REGISTERED = "401; with credentials 200"
UNKNOWN = "no answer"


@dataclass(slots=True)
class Seen:
    """What came of one row: in words, and what was sent and received for a closer look."""

    parser: str
    core: str = UNKNOWN
    ua: str = UNKNOWN
    sent: bytes = b""
    forwarded: bytes = b""
    from_core: Response | None = None
    from_ua: Response | None = None
    registered: Response | None = None
    fetched: list[str] = field(default_factory=list)
    core_tcp: str = ""
    ua_tcp: str = ""


def judged(data: bytes, role: str = "uas") -> str:
    """What the parser makes of a message: well-formed, the status to answer it with, or nothing but to drop it."""
    message = parse_message(data)
    if isinstance(message, Malformed):
        return DROPPED if data.lstrip().startswith(b"SIP/") else str(message.status)
    found = defects(message, "proxy" if role == "proxy" else "uas")
    if not found:
        return FINE
    return DROPPED if isinstance(message, Response) else str(found[0].status)


class World:
    """`caller` and `user` are registered with the core, `places` are what it reaches at the addresses of RFC 5118.
    `stranger` speaks to the client, whose registrar is `registrar`.
    """

    def __init__(self) -> None:
        self.caller, self.user, self.stranger, self.registrar = End(), End(), End(), End()
        self.places = {place: End() for place in torture_ipv6.PLACES}
        self.core: Address = ("", 0)
        self.core_tcp: Address = ("", 0)
        self.client: Address = ("", 0)
        self.client_tcp: Address = ("", 0)
        self.registrant: Account

    @property
    def ends(self) -> list[End]:
        return [self.caller, self.user, self.stranger, self.registrar, *self.places.values()]


@asynccontextmanager
async def world(directory: Path) -> AsyncIterator[World]:
    """The daemons with their ends. The client has registered once the rows that are responses are through."""
    made = World()
    async with AsyncExitStack() as stack:
        for end in made.ends:
            await end.open()
            stack.callback(end.close)
        _subscribers(directory)
        core = {"profiles": str(directory / "profiles"), "credentials": str(directory / "credentials.toml")}
        hosts = {place: end.sent_by for place, end in made.places.items()}
        client = {"registrar": f"sip:{DOMAIN}", "outbound": made.registrar.sent_by, "publish": False}
        made.registrar.answering = lambda request: None
        (directory / "core").mkdir()
        (directory / "client").mkdir()
        running = await stack.enter_async_context(watched("core", directory / "core", _config(core=core, hosts=hosts)))
        made.core, made.core_tcp = running.address(), running.address("tcp")
        for end, name in ((made.caller, "caller"), (made.user, "user")):
            registered = await Account(end, made.core, name).register(("Contact", f"<sip:{name}@{end.sent_by}>"))
            assert registered.status == 200, registered.start_line
        made.registrant = Account(made.caller, made.core, "registrant")
        running = await stack.enter_async_context(watched("client", directory / "client", _config(client=client)))
        made.client, made.client_tcp = running.address(), running.address("tcp")
        yield made


def _config(**more: dict[str, object]) -> dict[str, object]:
    # Timer F of the client is to be longer than its REGISTER is left without an answer.
    return free(timers={"t1": 0.05, "t2": 0.1, "t4": 0.1}, **more)


def _subscribers(directory: Path) -> None:
    (directory / "profiles").mkdir()
    for user, identities in IDENTITIES.items():
        public = "".join(f"<PublicIdentity><Identity>{escape(uri)}</Identity></PublicIdentity>" for uri in identities)
        (directory / "profiles" / f"{user}.xml").write_text(
            f"<IMSSubscription><PrivateID>{user}@{DOMAIN}</PrivateID>"
            f"<ServiceProfile>{public}</ServiceProfile></IMSSubscription>"
        )
    passwords = {f"{user}@{DOMAIN}": {"password": user} for user in IDENTITIES}
    (directory / "credentials.toml").write_text(tomli_w.dumps(passwords))


async def observe(directory: Path, rows: tuple[Row, ...] = ROWS) -> dict[str, Seen]:
    """Everything that came of every row, by its name."""
    seen = {row.name: Seen(judged(row.message())) for row in rows}
    async with world(directory) as made:
        responses = [row for row in rows if row.is_response]
        await _answer_client(made, responses, seen)
        for row in rows:
            if not row.is_response:
                await _ask_core(made, row, seen[row.name])
                await _ask_client(made, row, seen[row.name])
            if row.core_tcp:
                seen[row.name].core_tcp = await over_tcp(row, made.core_tcp, made.user)
                seen[row.name].ua_tcp = await over_tcp(row, made.client_tcp)
        for row in responses:
            await _answer_core(made, row, seen[row.name])
    return seen


# Requests


async def _ask_core(made: World, row: Row, seen: Seen) -> None:
    ends = {"": made.user, **{f" to {place}": end for place, end in made.places.items()}}
    before = {place: len(end.heard) for place, end in ends.items()}
    seen.sent = row.message(made.caller.sent_by, "{}:{}".format(*made.core))
    call_id = row.name.encode() + b"."
    seen.from_core = await made.caller.ask(seen.sent, made.core, call_id)
    seen.core = _status(seen.from_core)
    for place, end in ends.items():
        forwarded = [data for data in end.heard[before[place] :] if call_id in data and not data.startswith(b"ACK ")]
        if forwarded:
            seen.core = f"forwarded{place}; {seen.core}"
            seen.forwarded = forwarded[0]
    if row.is_register and b"@ims.example" in seen.sent and b" sip:ims.example " in seen.sent:
        await _register(made, row, seen)


async def _register(made: World, row: Row, seen: Seen) -> None:
    """The same with credentials, what the registrar has then, and away with it."""
    start = seen.sent.partition(b"\r\n")[0]
    if seen.from_core is None or seen.from_core.status != 401:
        await made.registrant.register()
    else:
        made.registrant.challenge = seen.from_core.get("WWW-Authenticate") or ""
    line = b"Authorization: " + made.registrant.credentials(start.split()[1].decode()).encode()
    again = seen.sent.replace(start, start + b"\r\n" + line, 1)
    name, other = row.name.encode() + b".", row.name.encode() + b"-2."
    again = again.replace(name, other).replace(b"=z9hG4bK", b"=z9hG4bK-2")
    seen.registered = await made.caller.ask(again, made.core, other)
    seen.core = f"{seen.core}; with credentials {_status(seen.registered)}"
    seen.fetched = (await made.registrant.register()).values("Contact")
    await made.registrant.register(("Contact", "*"), ("Expires", 0))


async def _ask_client(made: World, row: Row, seen: Seen) -> None:
    data = row.message(made.stranger.sent_by, "{}:{}".format(*made.client))
    seen.from_ua = await made.stranger.ask(data, made.client, row.name.encode() + b".")
    seen.ua = _status(seen.from_ua)


def _status(response: Response | None) -> str:
    return UNKNOWN if response is None else str(response.status)


# Responses


async def _answer_core(made: World, row: Row, seen: Seen) -> None:
    """The user answers a forwarded OPTIONS with the row, and with a right one when it is asked for the third time."""
    mark = f"answered-with-{row.name}"
    heard = 0

    def answer(request: Request) -> bytes | None:
        nonlocal heard
        heard += 1
        if heard == 1:
            seen.sent = fitted(row, request, status=b"480")
            return seen.sent
        return answer_200(request) if heard == 3 else None

    made.user.answering = answer
    response = await made.caller.ask(_options(made.caller, mark), made.core, mark.encode())
    made.user.answering = answer_200
    seen.from_core = response
    start = seen.sent.partition(b"\r\n")[0]
    if response is None:
        outcome = UNKNOWN
    elif heard >= 3:
        outcome = DROPPED
    else:
        same = any(data.startswith(start + b"\r\n") and mark.encode() in data for data in made.caller.heard)
        outcome = "forwarded, octet for octet" if same else f"forwarded as {response.start_line}"
    seen.core = f"as answer to a forwarded OPTIONS: {outcome}"


def _options(end: End, mark: str) -> bytes:
    headers = [
        ("Via", f"SIP/2.0/UDP {end.sent_by};branch=z9hG4bK{mark}"),
        ("From", f"<sip:caller@{DOMAIN}>;tag={mark}"),
        ("To", f"<sip:user@{DOMAIN}>"),
        ("Call-ID", mark),
        ("CSeq", "1 OPTIONS"),
    ]
    return Request("OPTIONS", f"sip:user@{DOMAIN}", headers).to_bytes()


async def _answer_client(made: World, rows: list[Row], seen: dict[str, Seen]) -> None:
    """The registrar answers the REGISTERs of the client with the rows; those that are to be dropped come first.

    What is dropped leaves the REGISTER as unanswered as it was, so it is sent again.
    """
    registrar = made.registrar
    for row in sorted(rows, key=lambda row: ("dropped" not in row.ua, row.name)):
        asked = await registrar.until(_is("REGISTER"), len(registrar.heard))
        if not asked:
            break  # a row that was to be dropped has been taken, and ended the asking
        first = _parsed(asked[0])
        branch = (first.via.branch or "").encode()
        after = len(registrar.heard)
        registrar.send(fitted(row, first, _more(row, first), b"401"), made.client)
        outcome = DROPPED if await _is_sent_again(registrar, branch, after) else "taken"
        seen[row.name].ua = f"as answer to its REGISTER: {outcome}"
    registrar.answering = lambda request: answer_200(request) if request.method == "REGISTER" else _not_found(request)


async def _is_sent_again(registrar: End, branch: bytes, after: int) -> bool:
    """Whether a request is retransmitted twice, or something else comes; once may have been before the answer."""
    for number in (after, after + 1):
        heard = await registrar.until(lambda data: True, number)
        if not heard or branch not in heard[0]:
            return False
    return True


def _more(row: Row, register: Request) -> str:
    if row.name == "noreason":
        return f'WWW-Authenticate: Digest realm="{DOMAIN}", nonce="00", algorithm=MD5, qop="auth"\n'
    return f"Contact: {register.get('Contact')};expires=600\n" if row.name == "unreason" else ""


def _not_found(request: Request) -> bytes:
    return response_to(request, 404, to_tag="end").to_bytes()


def _is(method: str) -> Callable[[bytes], bool]:
    return lambda data: data.startswith(method.encode() + b" ")


def _parsed(data: bytes) -> Request:
    message = parse_message(data)
    assert isinstance(message, Request)
    return message


def run(directory: Path) -> dict[str, Seen]:
    return asyncio.run(observe(directory))
