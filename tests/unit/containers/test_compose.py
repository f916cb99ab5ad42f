"""docker-compose.yml and Dockerfile fit together and to the daemons, as far as can be told without docker."""

import ipaddress
import itertools
import re
import shlex
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from click.testing import CliRunner

from talkburst.check import check
from talkburst.cli import main
from talkburst.daemon import command
from talkburst.daemon.address import parse_endpoint, parse_listen
from talkburst.daemon.settings import Settings
from talkburst.health import health

ROOT = Path(__file__).parents[3]
DAEMONS = ("xdms", "core", "server", "client", "client-2")
STATE = "/var/lib/talkburst"


def with_defaults(text: str) -> str:
    """The text as compose reads it where no variable is set."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load(with_defaults((ROOT / "docker-compose.yml").read_text()))


@pytest.fixture(scope="module")
def services(compose):
    return compose["services"]


@pytest.fixture
def settings(services, monkeypatch):
    """The settings with which a daemon's service would run: its command and its environment, read by the real CLI."""

    def of(service: str) -> Settings:
        seen: list[Settings] = []
        monkeypatch.setattr(command, "run", lambda make, settings, name, control: seen.append(settings) or 0)
        arguments = shlex.split(services[service]["command"])
        result = CliRunner().invoke(main, arguments, env=services[service]["environment"])
        assert result.exit_code == 0, result.output
        return seen[0]

    return of


def section(settings: Settings, service: str):
    return getattr(settings, service.partition("-")[0])


@pytest.mark.parametrize("service", DAEMONS)
def test_each_daemon_takes_its_command_and_listens_everywhere_on_its_usual_ports(settings, service):
    own, usual = section(settings(service), service), section(Settings(), service)
    for key in ("listen", "listen_servers"):
        entries = getattr(own, key, [])
        assert entries == [entry.replace("127.0.0.1", "0.0.0.0") for entry in getattr(usual, key, [])]


@pytest.mark.parametrize("service", ["core", "server", "client", "client-2"])
def test_each_sip_daemon_advertises_the_name_of_its_service(settings, service):
    own = section(settings(service), service)
    assert {own.advertise, getattr(own, "advertise_servers", service)} == {service}


def test_the_two_clients_are_two_private_identities_of_one_user(settings):
    one, two = settings("client").client, settings("client-2").client
    assert (one.private_id, two.private_id) == ("alice@ims.example", "alice-2@ims.example")
    assert one.public_id == two.public_id
    assert one.answer_mode != two.answer_mode


def test_every_name_in_sip_leads_to_a_service_that_listens_there(settings):
    hosts = settings("core").hosts
    assert set(hosts) == set(Settings(hosts={}).hosts)
    for name, place in hosts.items():
        service, _, port = place.partition(":")
        own = section(settings(service), service)
        key = "listen_servers" if name == "scscf.ims.example" else "listen"
        assert int(port) in {parse_listen(entry).port for entry in getattr(own, key)}, name


def test_the_server_finds_the_xdms(settings):
    root = urlsplit(settings("server").server.xcap_root)
    own = settings("xdms").xdms
    assert (root.hostname, root.port, root.path) == ("xdms", parse_listen(own.listen[0]).port, own.root)


def test_messages_are_reported_to_the_service_that_judges_them(services, settings):
    words = shlex.split(services["flow"]["command"])
    context = check.make_context("check", words[1:])
    assert words[0] == "check"
    assert context.params["flows"] == len([name for name in services if name.startswith("client")])
    transport, _, port = parse_endpoint(context.params["hep"])
    for service in DAEMONS:
        assert settings(service).trace.hep == f"{transport}:flow:{port}"


def test_core_and_server_trust_the_network_on_which_no_client_is(compose, services, settings):
    subnet = compose["networks"]["home"]["ipam"]["config"][0]["subnet"]
    assert ipaddress.ip_network(subnet).is_private
    assert settings("core").trust.peers == settings("server").trust.peers == [subnet]
    where = {name: set(service["networks"]) for name, service in services.items()}
    assert where == {
        "flow": {"access", "home"},
        "xdms": {"home"},
        "core": {"access", "home"},
        "server": {"home"},
        "client": {"access"},
        "client-2": {"access"},
    }


@pytest.mark.parametrize("service", DAEMONS)
def test_each_daemon_has_a_volume_of_its_own_and_a_health_check_that_the_command_takes(compose, services, service):
    own = services[service]
    assert own["volumes"] == [f"{service}:{STATE}"]
    assert service in compose["volumes"]
    kind, *words = own["healthcheck"]["test"]
    assert (kind, words[:2]) == ("CMD", ["talkburst", "health"])
    assert health.make_context("health", words[2:]).params["name"] == service.partition("-")[0]
    assert own["restart"] == "unless-stopped"


def test_services_start_in_the_order_of_health(services):
    def waits(service):
        return {name: each["condition"] for name, each in services[service].get("depends_on", {}).items()}

    assert waits("flow") == {}
    assert waits("xdms") == waits("core") == waits("server") == {"flow": "service_started"}
    assert waits("client") == dict.fromkeys(("xdms", "core", "server"), "service_healthy")
    assert waits("client-2") == {"client": "service_healthy"}


def test_only_the_core_is_reached_from_the_host_and_only_from_there(services):
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published == {"core": ["127.0.0.1:5060:5060/udp", "127.0.0.1:5060:5060/tcp"]}


def test_no_service_may_more_than_it_needs(services):
    for name, service in services.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "user" not in service, name  # the image's


def test_the_file_is_one_that_the_older_compose_reads_too(compose):
    assert set(compose) <= {"x-talkburst", "x-every", "services", "networks", "volumes"}


@pytest.fixture(scope="module")
def dockerfile():
    return re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text()).splitlines()


def test_the_base_of_the_image_is_an_argument(compose, dockerfile):
    bases = {line.split()[1] for line in dockerfile if line.startswith("FROM ")}
    (argument,) = (line.removeprefix("ARG ") for line in dockerfile if line.startswith("ARG "))
    name, _, default = argument.partition("=")
    assert bases == {f"${{{name}}}"}
    assert compose["x-talkburst"]["build"]["args"] == {name: default}


def test_the_image_runs_as_an_ordinary_user_without_a_shell_and_keeps_state_in_the_volume(dockerfile):
    (user,) = (line.split()[1] for line in dockerfile if line.startswith("USER "))
    assert all(int(number) >= 1000 for number in user.split(":"))
    assert 'ENTRYPOINT ["talkburst"]' in dockerfile
    assert any(f"TALKBURST_STATE={STATE}" in line for line in dockerfile if line.startswith("ENV "))
    assert any(f"chown {user} {STATE}" in line for line in dockerfile)
    assert not any("--mount" in line for line in dockerfile)  # the classic builder has none


def test_what_the_image_is_built_from_is_there_and_not_ignored(dockerfile):
    rules = (ROOT / ".dockerignore").read_text().splitlines()
    copied = [line.split()[1:-1] for line in dockerfile if line.startswith("COPY ") and "--from" not in line]
    for source in itertools.chain.from_iterable(copied):
        assert (ROOT / source).exists(), source
        assert f"!{source}" in rules, source
