"""Questions to a name server over UDP and TCP: what comes back, what is kept, and what damaged answers do."""

import asyncio
import time

import dns.message
import pytest

from talkburst.net.answer_cache import AnswerCache
from talkburst.net.hosts_file import HostsFile
from talkburst.net.resolver import Resolver
from talkburst.sip.locating import Answer, Naptr, Question, Srv
from zone_server import ZoneServer

ZONE = """
www 60 IN A 192.0.2.1
www 60 IN AAAA 2001:db8::1
alias 60 IN CNAME www
one 60 IN CNAME two
two 60 IN CNAME one
passing 0 IN A 192.0.2.7
@ 60 IN NAPTR 90 50 "s" "SIP+D2T" "" _sip._tcp
_sip._tcp 60 IN SRV 1 2 5060 WWW
_sip._udp 60 IN SRV 0 0 0 .
"""


@pytest.fixture
def names():
    with ZoneServer("ims.test", ZONE) as server:
        yield server


@pytest.fixture
async def make_resolver(tmp_path):
    made = []

    def make(*servers, timeout: float = 2.0) -> Resolver:
        made.append(Resolver([server.address for server in servers], timeout, HostsFile(tmp_path / "none")))
        return made[-1]

    yield make
    for each in made:
        await each.close()


@pytest.fixture
def resolver(make_resolver, names) -> Resolver:
    return make_resolver(names)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (("www.ims.test", "A"), Answer(addresses=("192.0.2.1",))),
        (("www.ims.test", "AAAA"), Answer(addresses=("2001:db8::1",))),
        (("alias.ims.test", "A"), Answer(addresses=("192.0.2.1",))),
        (("ims.test", "NAPTR"), Answer(naptr=(Naptr(90, 50, "s", "SIP+D2T", "", "_sip._tcp.ims.test"),))),
        (("_sip._tcp.ims.test", "SRV"), Answer(srv=(Srv(1, 2, 5060, "www.ims.test"),))),
        (("_sip._udp.ims.test", "SRV"), Answer(srv=(Srv(0, 0, 0, ""),))),
        (("www.ims.test", "SRV"), Answer()),
        (("gone.ims.test", "A"), Answer()),
        (("one.ims.test", "A"), Answer()),
        (("a..b", "A"), Answer()),
        (("x" * 70, "A"), Answer()),
    ],
)
async def test_records_are_read(resolver, question: tuple[str, str], answer: Answer) -> None:
    assert await resolver.ask(Question(*question)) == answer


async def test_an_answer_is_asked_for_once_as_long_as_it_holds(resolver, names) -> None:
    for _ in range(3):
        await resolver.ask(Question("www.ims.test", "A"))
        await resolver.ask(Question("gone.ims.test", "A"))
    assert names.asked == ["www.ims.test A udp", "gone.ims.test A udp"], "and so is what is not there"
    for _ in range(2):
        await resolver.ask(Question("passing.ims.test", "A"))
    assert names.asked[2:] == ["passing.ims.test A udp"] * 2, "an answer with a TTL of 0 is for whoever asked"


async def test_who_asks_at_the_same_time_shares_the_answer(resolver, names) -> None:
    question = Question("www.ims.test", "A")
    answers = await asyncio.gather(*(resolver.ask(question) for _ in range(50)))
    assert len(set(answers)) == 1
    assert names.asked == ["www.ims.test A udp"]


async def test_one_that_gives_up_takes_the_answer_from_nobody(resolver) -> None:
    question = Question("www.ims.test", "A")
    hasty, patient = (asyncio.create_task(resolver.ask(question)) for _ in range(2))
    await asyncio.sleep(0)
    hasty.cancel()
    assert (await patient).addresses == ("192.0.2.1",)


async def test_an_answer_that_is_cut_off_is_asked_for_by_tcp(resolver, names) -> None:
    names.serve("\n".join(f"big 60 IN SRV 0 0 {port} host{port}" for port in range(5000, 5100)))
    answer = await resolver.ask(Question("big.ims.test", "SRV"))
    assert len(answer.srv) == 32, "as many as may count"
    assert names.asked == ["big.ims.test SRV udp", "big.ims.test SRV tcp"]


async def test_thousands_of_records_cost_little(resolver, names) -> None:
    names.serve("\n".join(f"huge 60 IN A 10.{number >> 8}.{number & 255}.1" for number in range(2000)))
    await resolver.ask(Question("www.ims.test", "A"))
    begin = time.process_time()
    assert len((await resolver.ask(Question("huge.ims.test", "A"))).addresses) == 4
    assert time.process_time() - begin < 1.0


def _garbage(query: dns.message.Message, reply: bytes) -> list[bytes]:
    return [b"", b"\0", b"no DNS at all" * 20, reply[:10], reply[:-3]]


def _other_id(query: dns.message.Message, reply: bytes) -> list[bytes]:
    return [bytes([reply[0] ^ 0x55, *reply[1:]])]


def _other_question(query: dns.message.Message, reply: bytes) -> list[bytes]:
    return [reply.replace(b"\x03www", b"\x03wow", 1)]


def _loop_of_pointers(query: dns.message.Message, reply: bytes) -> list[bytes]:
    return [reply[:12] + b"\xc0\x0c" + reply[14:]]


@pytest.mark.parametrize("damage", [_garbage, _other_id, _other_question, _loop_of_pointers])
async def test_damaged_answers_are_passed_over_for_the_right_one(resolver, names, damage) -> None:
    names.damage = lambda query, reply: [*damage(query, reply), reply]
    assert (await resolver.ask(Question("www.ims.test", "A"))).addresses == ("192.0.2.1",)


@pytest.mark.parametrize("damage", [_garbage, _other_id, _other_question, _loop_of_pointers])
async def test_damaged_answers_alone_are_none_after_the_time_is_up(make_resolver, names, damage) -> None:
    names.damage = damage
    resolver = make_resolver(names, timeout=0.4)
    begin = time.monotonic()
    assert await resolver.ask(Question("www.ims.test", "A")) == Answer()
    assert time.monotonic() - begin < 2
    names.damage = None
    assert await resolver.ask(Question("www.ims.test", "A")) == Answer(), "nobody is asked again at once"
    assert resolver.counters["failed"] == 1


async def test_a_silent_server_leaves_time_for_the_next_one(make_resolver, names) -> None:
    with ZoneServer("ims.test", "", silent=True) as silent:
        resolver = make_resolver(silent, names, timeout=1.5)
        assert (await resolver.ask(Question("www.ims.test", "A"))).addresses == ("192.0.2.1",)
        assert silent.asked == ["www.ims.test A udp"]


async def test_questions_are_bounded(make_resolver, monkeypatch) -> None:
    monkeypatch.setattr("talkburst.net.resolver.MOST_WAITING", 20)
    with ZoneServer("ims.test", "", silent=True) as silent:
        resolver = make_resolver(silent, timeout=0.3)
        answers = await asyncio.gather(*(resolver.ask(Question(f"x{number}.ims.test", "A")) for number in range(100)))
    assert answers == [Answer()] * 100
    assert (resolver.counters["refused"], len(silent.asked) >= 20) == (80, True)


@pytest.mark.parametrize("name", ["no.such.invalid", "invalid", "INVALID."])
async def test_rfc_6761_names_in_invalid_are_not_asked_for(resolver, names, name: str) -> None:
    assert await resolver.ask(Question(name.lower(), "A")) == Answer()
    assert names.asked == []


# The hosts file


def test_the_hosts_file_is_read_again_when_it_has_changed(tmp_path) -> None:
    path = tmp_path / "hosts"
    path.write_text(
        "127.0.0.1 localhost\n192.0.2.1\tPoC.ims.test poc # the server\nfe80::1%eth0 link\nx y\n2001:db8::1 poc\n"
    )
    file = HostsFile(path)
    assert file.find("poc.ims.test", 1.0) == ["192.0.2.1"]
    assert file.find("poc", 1.0) == ["192.0.2.1", "2001:db8::1"]
    assert file.find("link", 1.0) == file.find("y", 1.0) == []
    path.write_text("192.0.2.200 poc")
    assert file.find("poc", 1.5) == ["192.0.2.1", "2001:db8::1"], "it is not looked at for every name"
    assert file.find("poc", 2.5) == ["192.0.2.200"]
    path.unlink()
    assert file.find("poc", 4.0) == []


def test_rfc_6761_localhost_is_this_machine_whatever_there_is(tmp_path) -> None:
    assert HostsFile(tmp_path / "none").find("localhost", 1.0) == ["127.0.0.1", "::1"]
    assert HostsFile(tmp_path / "none").find("x.localhost", 1.0) == ["127.0.0.1", "::1"]


async def test_addresses_are_those_of_the_hosts_file_else_of_the_dns(names, tmp_path) -> None:
    (tmp_path / "hosts").write_text("127.0.0.9 www.ims.test")
    resolver = Resolver([names.address], hosts_file=HostsFile(tmp_path / "hosts"))
    assert await resolver.addresses("WWW.ims.test") == ["127.0.0.9"]
    assert names.asked == []
    assert await resolver.addresses("www.ims.test", (6,)) == ["2001:db8::1"]
    assert await resolver.addresses("alias.ims.test") == ["2001:db8::1", "192.0.2.1"]


# What is kept


def test_an_answer_is_kept_for_its_ttl_and_no_longer_than_a_day() -> None:
    cache, question, answer = AnswerCache(), Question("x", "A"), Answer(addresses=("192.0.2.1",))
    cache.keep(question, answer, 60, 1000)
    assert (cache.find(question, 1059), cache.find(question, 1060)) == (answer, None)
    cache.keep(question, answer, 2**31, 1000)
    assert (cache.find(question, 87_399), cache.find(question, 87_400)) == (answer, None)
    cache.keep(question, Answer(), 2**31, 1000)
    assert (cache.find(question, 1299), cache.find(question, 1300)) == (Answer(), None), "five minutes, if it is none"
    cache.keep(question, answer, -5, 1000)
    assert cache.find(question, 1000) is None


def test_too_many_answers_push_out_the_one_that_was_not_used_longest() -> None:
    cache = AnswerCache(most=3)
    for name in "abc":
        cache.keep(Question(name, "A"), Answer(), 60, 1000)
    cache.find(Question("a", "A"), 1001)
    cache.keep(Question("d", "A"), Answer(), 60, 1001)
    assert len(cache) == 3
    assert [cache.find(Question(name, "A"), 1001) is None for name in "abcd"] == [False, True, False, False]
