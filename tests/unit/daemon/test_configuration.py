"""Flags over environment over file over default; what is wrong is named with its place."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from talkburst.daemon.configuration import key_lines, load
from talkburst.daemon.settings import ConfigurationError, Settings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "talkburst.toml"


def problems(file: Path, text: str, environ: Mapping[str, str] | None = None) -> list[str]:
    """What is said of the file, its directory cut off."""
    file.write_text(text)
    with pytest.raises(ConfigurationError) as raised:
        load(file, environ=environ or {})
    assert "pydantic" not in str(raised.value).lower()
    assert "http" not in str(raised.value)
    return [problem.replace(f"{file.parent}/", "") for problem in raised.value.problems]


def test_without_anything_it_is_the_demo_world() -> None:
    settings = load(environ={})
    assert settings.model_dump() == Settings().model_dump()
    assert settings.core.domain == "ims.example"
    assert settings.core.listen == ["udp:127.0.0.1:5060", "tcp:127.0.0.1:5060"]
    assert settings.core.listen_servers == ["udp:127.0.0.1:5054", "tcp:127.0.0.1:5054"]
    assert settings.server.listen == ["udp:127.0.0.1:5070", "tcp:127.0.0.1:5070"]
    assert settings.client.listen == ["udp:127.0.0.1:5090", "tcp:127.0.0.1:5090"]
    assert settings.hosts["scscf.ims.example"] == "127.0.0.1:5054"
    assert settings.timers.t1 == 0.5
    assert settings.xdms.accounts["sip:alice@ims.example"].aliases == [
        "sip:+12025550101@ims.example;user=phone",
        "tel:+12025550101",
    ]
    assert settings.xdms.accounts["sip:dave@ims.example"].aliases == []


@pytest.mark.parametrize(
    ("flags", "environ", "text", "domain"),
    [
        ({}, {}, "", "ims.example"),
        ({}, {}, '[core]\ndomain = "file.example"', "file.example"),
        ({}, {"TALKBURST_CORE__DOMAIN": "env.example"}, '[core]\ndomain = "file.example"', "env.example"),
        (
            {"core": {"domain": "flag.example"}},
            {"TALKBURST_CORE__DOMAIN": "env.example"},
            '[core]\ndomain = "file.example"',
            "flag.example",
        ),
    ],
)
def test_the_nearer_source_wins(
    file: Path, flags: dict[str, Any], environ: dict[str, str], text: str, domain: str
) -> None:
    file.write_text(text)
    assert load(file, flags, environ).core.domain == domain


def test_sources_mix_key_by_key_within_a_section(file: Path) -> None:
    file.write_text('[core]\ndomain = "file.example"\nexpires_min = 10\n')
    settings = load(file, {"core": {"listen": ["udp:127.0.0.1:0"]}}, {"TALKBURST_CORE__EXPIRES_MIN": "20"})
    assert (settings.core.domain, settings.core.expires_min) == ("file.example", 20)
    assert settings.core.listen == ["udp:127.0.0.1:0"]


def test_settings_built_directly_do_not_look_at_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALKBURST_CORE__DOMAIN", "env.example")
    assert Settings().core.domain == "ims.example"
    assert load().core.domain == "env.example"


@pytest.mark.parametrize(
    ("name", "text", "path", "value"),
    [
        ("TALKBURST_STATE", "/s", "state", "/s"),
        ("TALKBURST_TIMERS__T1", "0.05", "timers.t1", 0.05),
        ("TALKBURST_CLIENT__BARRING", "true", "client.barring", True),
        ("TALKBURST_CORE__LISTEN", "udp:127.0.0.1:1, udp:[::1]:2", "core.listen", ["udp:127.0.0.1:1", "udp:[::1]:2"]),
        ("TALKBURST_CORE__LISTEN", '["udp:127.0.0.1:1"]', "core.listen", ["udp:127.0.0.1:1"]),
        ("TALKBURST_CORE__ADVERTISE", "[::1]:5060", "core.advertise", "[::1]:5060"),
        ("TALKBURST_CORE__HOSTS", '{"a.example" = "127.0.0.1:1"}', "core.hosts", {"a.example": "127.0.0.1:1"}),
        ("TALKBURST_CORE__HOSTS__A.EXAMPLE", "127.0.0.1:1", "core.hosts", {"a.example": "127.0.0.1:1"}),
        ("TALKBURST_DNS__SERVERS", "::1,[::1]:5353,10.0.0.1", "dns.servers", ["::1", "[::1]:5353", "10.0.0.1"]),
        ("TALKBURST_CORE__DOMAIN", "", "core.domain", "ims.example"),
        ("TALKBURST_PORT", "udp://10.0.0.1:5060", "core.domain", "ims.example"),  # as Kubernetes sets it
        ("TALKBURST_CORE_SERVICE_HOST", "10.0.0.1", "core.domain", "ims.example"),
    ],
)
def test_the_environment_reaches_every_kind_of_key(name: str, text: str, path: str, value: object) -> None:
    found: Any = load(environ={name: text})
    for part in path.split("."):
        found = getattr(found, part)
    assert found == value


def test_hosts_are_laid_over_those_of_the_demo_and_the_daemons_own_over_both(file: Path) -> None:
    file.write_text('[hosts]\n"ims.example" = "10.0.0.1:5060"\n[core.hosts]\n"poc.ims.example" = "10.0.0.2:5070"\n')
    settings = load(file, environ={})
    assert settings.hosts_for("core")["ims.example"] == "10.0.0.1:5060"
    assert settings.hosts_for("core")["poc.ims.example"] == "10.0.0.2:5070"
    assert settings.hosts_for("server")["poc.ims.example"] == "127.0.0.1:5070"
    assert settings.hosts_for("xdms")["scscf.ims.example"] == "127.0.0.1:5054"


def test_accounts_replace_those_of_the_demo(file: Path) -> None:
    file.write_text('[xdms.accounts]\n"sip:erin@x.example" = { password = "x" }\n')
    assert list(load(file, environ={}).xdms.accounts) == ["sip:erin@x.example"]


def test_paths_of_the_file_are_relative_to_it_and_others_are_not(file: Path) -> None:
    file.write_text('state = "s"\n[core]\nprofiles = "p"\ncredentials = "/c"\n[trace]\npcap = ""\n')
    settings = load(file, environ={})
    assert settings.state == str(file.parent / "s")
    assert settings.core.profiles == str(file.parent / "p")
    assert settings.core.credentials == "/c"
    assert settings.trace.pcap == ""
    assert load(file, environ={"TALKBURST_STATE": "s"}).state == "s"


def test_secrets_do_not_show(file: Path) -> None:
    file.write_text('[client]\npassword = "hunter2"\n')
    settings = load(file, environ={})
    assert "hunter2" not in f"{settings!r} {settings.model_dump()} {settings.model_dump_json()}"
    assert settings.client.password.get_secret_value() == "hunter2"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        # unknown keys
        ('[core]\ndomian = "x"', 'talkburst.toml:2: core.domian: no such key; did you mean "domain"?'),
        ("[coer]\n", 'talkburst.toml:1: coer: no such key or section; did you mean "core"?'),
        ("[log]\nqqq = 1", "talkburst.toml:2: log.qqq: no such key; the keys here are level"),
        (
            '[xdms.accounts]\n"sip:a@x" = { password = "p", alias = [] }',
            'talkburst.toml:2: xdms.accounts."sip:a@x".alias: no such key; did you mean "aliases"?',
        ),
        # kinds
        ("core = 5", "talkburst.toml:1: core = 5: must be a table"),
        ("[core]\ndomain = 5", "talkburst.toml:2: core.domain = 5: must be text"),
        ('[timers]\nt1 = "fast"', 'talkburst.toml:2: timers.t1 = "fast": must be a number'),
        ("[core]\nexpires_min = 1.5", "talkburst.toml:2: core.expires_min = 1.5: must be a whole number"),
        ('[client]\nbarring = "maybe"', 'talkburst.toml:2: client.barring = "maybe": must be true or false'),
        ("[core]\nlisten = 5060", "talkburst.toml:2: core.listen = 5060: must be a list"),
        ('hosts = "x"', 'talkburst.toml:1: hosts = "x": must be a table'),
        # values
        ("[timers]\nt1 = 0", "talkburst.toml:2: timers.t1 = 0: must be more than 0"),
        ("[core]\nexpires_min = 0", "talkburst.toml:2: core.expires_min = 0: must be at least 1"),
        ("[timers]\nt1 = inf", "talkburst.toml:2: timers.t1 = Infinity: must be a finite number"),
        ('[core]\ndomain = ""', 'talkburst.toml:2: core.domain = "": must not be empty'),
        ("[core]\nlisten = []", "talkburst.toml:2: core.listen = []: must not be empty"),
        (
            '[core]\ndomain = "sip:x.example"',
            'talkburst.toml:2: core.domain = "sip:x.example": must be a bare domain name such as ims.example',
        ),
        (
            '[log]\nlevel = "warn"',
            'talkburst.toml:2: log.level = "warn": must be "debug", "info", "warning" or "error"; '
            'did you mean "warning"?',
        ),
        (
            '[core]\nlisten = ["udp:127.0.0.1:0", "5060"]',
            'talkburst.toml:2: core.listen[1] = "5060": must be udp:HOST:PORT, tcp:HOST:PORT, tls:HOST:PORT or fd:N',
        ),
        (
            '[dns]\nservers = ["127.0.0.1:5353", "resolver.example"]',
            'talkburst.toml:2: dns.servers[1] = "resolver.example": must be an address or ADDRESS:PORT, not a name',
        ),
        (
            '[trace]\nhep = "127.0.0.1:9060"',
            'talkburst.toml:2: trace.hep = "127.0.0.1:9060": must be tcp:HOST:PORT or udp:HOST:PORT',
        ),
        (
            '[hosts]\n"a.example" = "127.0.0.1:5060;transport=ws"',
            'talkburst.toml:2: hosts."a.example" = "127.0.0.1:5060;transport=ws": may carry ";transport=udp", '
            '";transport=tcp" or ";transport=tls" and nothing else',
        ),
        (
            '[trust]\npeers = ["10.0.0.0/33"]',
            'talkburst.toml:2: trust.peers[0] = "10.0.0.0/33": must be an address, a network such as 10.0.0.0/8, '
            "or a name",
        ),
        (
            '[client]\npublic_id = "alice"',
            'talkburst.toml:2: client.public_id = "alice": must be a SIP or tel URI such as sip:a@x.org',
        ),
        (
            '[core]\nadvertise = "0.0.0.0"',
            'talkburst.toml:2: core.advertise = "0.0.0.0": must be an address or name that others can reach; '
            "this one is the wildcard",
        ),
        # several keys
        ("[timers]\nt1 = 1\nt2 = 0.5", "talkburst.toml:3: timers.t2: must be at least t1 (1)"),
        ("[core]\nexpires_max = 30", "talkburst.toml:2: core.expires_max: must be at least expires_min (60)"),
        (
            '[server]\nlisten = "udp:0.0.0.0:5070"',
            "talkburst.toml:2: server.listen: udp:0.0.0.0:5070 listens on every address, so advertise must say which "
            'one peers are told, such as advertise = "192.0.2.1"',
        ),
        (
            '[core]\nadvertise = "192.0.2.1"\nlisten_servers = ["udp:[::]:5054"]',
            "talkburst.toml:3: core.listen_servers: udp:[::]:5054 listens on every address, so advertise_servers must "
            'say which one peers are told, such as advertise_servers = "192.0.2.1"',
        ),
        # secrets
        ("[client]\npassword = 1234", "talkburst.toml:2: client.password (value not shown): must be text"),
        (
            '[xdms.accounts]\n"sip:a@x" = "s3cret"',
            'talkburst.toml:2: xdms.accounts."sip:a@x" (value not shown): must be a table',
        ),
        ('[xdms.accounts]\n"sip:a@x" = {}', 'talkburst.toml:2: xdms.accounts."sip:a@x".password: is missing'),
        # not TOML
        ('[core]\ndomain = "x', "talkburst.toml:2:12: is not TOML: illegal character '\\n'"),
        ("[core\n", "talkburst.toml:1:6: is not TOML: expected ']' at the end of a table declaration"),
        (
            "[core]\ndomain ims.example\n",
            "talkburst.toml:2:8: is not TOML: expected '=' after a key in a key/value pair",
        ),
        ("[core]\n[core]\n", "talkburst.toml:2:6: is not TOML: cannot declare ('core',) twice"),
    ],
)
def test_what_is_wrong_in_the_file_is_named(file: Path, text: str, said: str) -> None:
    found = problems(file, text + "\n")
    assert found == [said]


def test_every_fault_is_told_at_once(file: Path) -> None:
    found = problems(file, '[core]\ndomian = "x"\nexpires_min = 0\n\n[client]\nanswer_mode = "auto"\n')
    assert [problem.partition(": ")[0] for problem in found] == [f"talkburst.toml:{line}" for line in (3, 2, 6)]


def test_a_fault_in_the_environment_names_the_variable(file: Path) -> None:
    assert problems(file, "", {"TALKBURST_CORE__EXPIRES_MIN": "soon"}) == [
        'TALKBURST_CORE__EXPIRES_MIN: core.expires_min = "soon": must be a whole number'
    ]
    assert problems(file, "", {"TALKBURST_CORE__DOMIAN": "x"}) == [
        'TALKBURST_CORE__DOMIAN: core.domian: no such key; did you mean "domain"?'
    ]
    assert problems(file, "", {"TALKBURST_CORE_DOMAIN": "x"}) == [
        "TALKBURST_CORE_DOMAIN: no such variable; did you mean TALKBURST_CORE__DOMAIN (two underscores)?"
    ]
    assert problems(file, "", {"TALKBURST_HOSTS": "x", "TALKBURST_HOSTS__A": "y"}) == [
        "TALKBURST_HOSTS__A: a variable for the whole of hosts is set as well; keep one of them"
    ]


def test_a_fault_in_a_flag_names_the_flag() -> None:
    with pytest.raises(ConfigurationError) as raised:
        load(None, {"core": {"listen": ["x"]}}, {}, {("core", "listen"): "--listen"})
    assert str(raised.value).startswith('--listen: core.listen[0] = "x": must be')


def test_a_file_that_can_not_be_read_is_named(tmp_path: Path, file: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no\.toml: cannot read this configuration file: No such file"):
        load(tmp_path / "no.toml", environ={})
    with pytest.raises(ConfigurationError, match="Is a directory"):
        load(tmp_path, environ={})
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="is not UTF-8 text"):
        load(file, environ={})


def test_a_byte_order_mark_is_no_fault(file: Path) -> None:
    file.write_bytes(b'\xef\xbb\xbf[core]\ndomain = "x.example"\n')
    assert load(file, environ={}).core.domain == "x.example"


def test_keys_are_found_by_line() -> None:
    text = 'state = ""\n[core]\n# comment\n  domain = "x"\nhosts."a.b" = "y"\n[ xdms . accounts ]\n\'sip:a\'={}\n'
    assert dict(key_lines(text)) == {
        ("state",): 1,
        ("core",): 2,
        ("core", "domain"): 4,
        ("core", "hosts", "a.b"): 5,
        ("xdms", "accounts"): 6,
        ("xdms", "accounts", "sip:a"): 7,
    }


def test_a_client_that_is_to_speak_tcp_needs_a_listener_for_it(file: Path) -> None:
    assert problems(file, '[client]\ntransport = "tcp"\nlisten = ["udp:127.0.0.1:5090"]') == [
        "talkburst.toml:2: client.transport: tcp needs a listener of its own: add tcp:HOST:PORT to client.listen"
    ]
    assert Settings(client={"transport": "tcp", "listen": ["fd:7"]}).client.transport == "tcp"
    assert Settings(client={"listen": ["tcp:127.0.0.1:5090"]}).client.transport == "udp"
