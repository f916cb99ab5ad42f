"""Ports for the daemons of a demo."""

import errno
import socket

import pytest

from talkburst.demo.sockets import HandedSockets, PortError

HERE = "127.0.0.1"


@pytest.fixture
def taken():
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as held:
        held.bind((HERE, 0))
        held.listen()
        yield held.getsockname()[1]


@pytest.fixture
def handed():
    handed = HandedSockets()
    yield handed
    handed.close()


def test_both_transports_have_one_port(handed):
    host, port = handed.bind("core", ("udp", "tcp"), HERE, (0,))
    ports = {socket.socket(fileno=number).detach() for number in handed.descriptors("core").values()}
    assert (host, len(ports)) == (HERE, 2)
    assert port > 0


def test_a_port_that_somebody_has_for_one_transport_is_passed_over(handed, taken):
    _, port = handed.bind("core", ("udp", "tcp"), HERE, (taken, 0))
    assert port not in (0, taken)


def test_two_demos_at_the_same_time_do_not_take_the_same_port(handed):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as held:
        held.bind((HERE, 0))
        wanted = held.getsockname()[1]
    other = HandedSockets()
    try:
        _, first = handed.bind("xdms", ("tcp",), HERE, (wanted, 0))
        _, second = other.bind("xdms", ("tcp",), HERE, (wanted, 0))
    finally:
        other.close()
    assert (first, second != wanted) == (wanted, True)


def test_a_port_that_had_to_be_is_named_when_it_is_taken(handed, taken):
    with pytest.raises(PortError) as error:
        handed.bind("core", ("udp", "tcp"), HERE, (taken,))
    assert error.value.errno == errno.EADDRINUSE
    assert error.value.strerror == f"cannot listen on 127.0.0.1:{taken}: address already in use"
    assert handed.descriptors("core") == {}


def test_an_address_of_another_machine_is_no_place_to_listen(handed):
    with pytest.raises(PortError) as error:
        handed.bind("core", ("udp",), "192.0.2.1", (5060, 0))
    assert "cannot assign requested address" in error.value.strerror
