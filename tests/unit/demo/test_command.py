"""What `talkburst demo` refuses before it starts anything."""

import pytest
from click.testing import CliRunner

from talkburst.demo.command import demo


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("client", "core", "server", "xdms"), "leaves nobody to tell what happens"),
        (("client", "client"), "--external client stands there twice"),
        (("sip",), "--external sip: must be ROLE or ROLE=HOST:PORT, ROLE one of client, core, server, xdms"),
        (("server=",), "--external server=: must be ROLE or ROLE=HOST:PORT"),
        (("server=127.0.0.1:99999",), "--external server=127.0.0.1:99999: port 99999 is out of range"),
        (("server=192.0.2.7:5060",), "192.0.2.7 cannot be reached from 127.0.0.1"),
        (("server=http://127.0.0.1/",), "only an xdms has a URL"),
    ],
)
def test_what_cannot_be_is_wrong_usage(arguments, said):
    result = CliRunner().invoke(demo, [word for role in arguments for word in ("--external", role)])
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in " ".join(result.stderr.split())


def test_a_program_from_outside_over_tls_is_wrong_usage():
    result = CliRunner().invoke(demo, ["--transport", "tls", "--external", "client"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "a program of yours would need certificates of the demo" in " ".join(result.stderr.split())


def test_a_second_client_that_nobody_of_ours_sees_is_wrong_usage():
    arguments = ["--scenario", "second-client", "--external", "client", "--external", "core"]
    result = CliRunner().invoke(demo, arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "nothing of ours would see the second client" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "port"),
    [
        (["--external", "client"], "client"),
        (["--external", "client", "--scenario", "second-client"], "client-2"),
        ([], "client-2"),
    ],
)
def test_a_port_for_a_client_that_is_not_ours_is_wrong_usage(arguments, port):
    result = CliRunner().invoke(demo, [*arguments, "--port", f"{port}=5099"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"--port {port}=5099: there is no {port} of ours to listen there" in result.stderr


def test_an_address_that_this_machine_has_not_is_named_with_its_option(tmp_path):
    result = CliRunner().invoke(demo, ["--host", "192.0.2.5", "--state", str(tmp_path)])
    assert result.exit_code == 1
    assert result.stderr.endswith("cannot assign requested address (--host names another)\n"), result.stderr
