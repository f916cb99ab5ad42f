"""Client, core and PoC server over TCP, and over one transport on each side of the core."""

import pytest

from talkburst.sip.message import Request, Response

TCP = ";transport=tcp"
HOSTS = {
    "ims.example": "127.0.0.1:5060",
    "scscf.ims.example": "127.0.0.1:5054",
    "poc.ims.example": "127.0.0.1:5070",
}
SERVERS_BY_TCP = {**HOSTS, **{name: HOSTS[name] + TCP for name in ("scscf.ims.example", "poc.ims.example")}}
LISTENERS = CLIENT, CORE, CORE_FOR_SERVERS, SERVER = 5090, 5060, 5054, 5070


def demo(make_world, make_device, client, server, **policy):
    """Alice's client speaks `client` with the core, core and server speak `server`; run until she has published."""
    network = make_world(tcp=True, hosts=SERVERS_BY_TCP if server == "TCP" else HOSTS, **policy)
    device = make_device(network, transport=client)
    device.start()
    return network, device


@pytest.fixture
def over_tcp(make_world, make_device):
    return demo(make_world, make_device, "TCP", "TCP")


def seen(network, source, target, start):
    return [
        message
        for from_, to, message in network.log
        if (from_[1], to[1]) == (source, target) and message.start_line.startswith(start)
    ]


@pytest.mark.parametrize("client", ["UDP", "TCP"])
@pytest.mark.parametrize("server", ["UDP", "TCP"])
def test_the_flow_passes_whatever_each_side_speaks(make_world, make_device, client, server) -> None:
    network, device = demo(make_world, make_device, client, server)
    assert network.stored() == {device.account.instance: "automatic"}
    assert device.shown["settings"]["entities"][0]["id"] == device.account.instance
    network.log.clear()
    device.client.change(network.now, answer_mode="manual")
    network.run(6)
    assert network.stored() == {device.account.instance: "manual"}
    assert device.shown["settings"]["entities"][0]["answer_mode"] == "manual"
    assert device.stop() is not None
    assert list(network.core.registrar.registrations()) == []


@pytest.mark.parametrize("closed", [(), (CLIENT,), (CORE,), (CORE_FOR_SERVERS, SERVER), LISTENERS])
def test_requests_that_outgrow_a_datagram_go_by_tcp_where_the_peer_takes_it(
    make_world, make_device, monkeypatch, closed
) -> None:
    monkeypatch.setattr("talkburst.sip.outbound.LARGEST_DATAGRAM", 700)
    network = make_world(tcp=True, hosts=HOSTS)
    network.closed |= {("127.0.0.1", port) for port in closed}
    device = make_device(network)
    device.start(3)
    assert network.stored() == {device.account.instance: "automatic"}
    assert device.shown["settings"]["entities"][0]["id"] == device.account.instance
    large = [message for _, _, message in network.log if isinstance(message, Request) and message.method == "NOTIFY"]
    assert {message.via.transport for message in large} == ({"UDP"} if closed == LISTENERS else {"UDP", "TCP"})


def test_over_tcp_each_side_opens_one_connection_to_where_it_sends(over_tcp) -> None:
    network, _ = over_tcp
    assert network.opened() == ["5054>5070", "5070>5054", "5090>5060"]


@pytest.mark.parametrize("client", ["UDP", "TCP"])
@pytest.mark.parametrize("server", ["UDP", "TCP"])
def test_headers_name_the_transport_unless_it_is_udp(make_world, make_device, client, server) -> None:
    network, _ = demo(make_world, make_device, client, server)
    here, there = TCP if client == "TCP" else "", TCP if server == "TCP" else ""
    register = seen(network, CLIENT, CORE, "REGISTER")[-1]
    assert str(register.contacts[0].uri) == f"sip:alice@127.0.0.1:5090{here}"
    assert register.via.transport == client
    (registered,) = (each for each in seen(network, CORE, CLIENT, "SIP/2.0 200") if each.cseq.method == "REGISTER")
    assert registered.values("Service-Route") == [f"<sip:orig@127.0.0.1:5060{here};lr>"]
    third_party = seen(network, CORE_FOR_SERVERS, SERVER, "REGISTER")[0]
    assert str(third_party.contacts[0].uri) == f"sip:127.0.0.1:5054{there}"
    assert third_party.via.transport == server
    (watch,) = seen(network, SERVER, CORE_FOR_SERVERS, "SUBSCRIBE")
    assert watch.values("Route") == [f"<sip:127.0.0.1:5054{there};lr>"]
    assert str(watch.contacts[0].uri) == f"sip:127.0.0.1:5070{there}"
    subscribe = seen(network, CORE_FOR_SERVERS, SERVER, "SUBSCRIBE")[0]
    assert subscribe.values("Record-Route") == [f"<sip:127.0.0.1:5054{there};lr>", f"<sip:127.0.0.1:5060{here};lr>"]
    assert subscribe.routes[1].uri.params.get("transport") == ("tcp" if there else None)
    notify = seen(network, SERVER, CORE_FOR_SERVERS, "NOTIFY")[0]
    assert notify.values("Route") == subscribe.values("Record-Route")
    told = next(each for each in seen(network, CORE, CLIENT, "NOTIFY") if each.event.package == "poc-settings")
    assert told.get("Route") is None
    assert told.values("Record-Route") == [f"<sip:127.0.0.1:5060{here};lr>", f"<sip:127.0.0.1:5054{there};lr>"]


def test_a_client_that_nobody_can_connect_to_is_reached_on_its_connection(make_world, make_device) -> None:
    network = make_world(tcp=True, hosts=HOSTS)
    network.closed.add(("127.0.0.1", CLIENT))
    device = make_device(network, transport="TCP")
    device.start()
    assert device.shown["settings"]["entities"][0]["id"] == device.account.instance
    assert network.stored() == {device.account.instance: "automatic"}


def test_a_lost_connection_is_made_anew_and_everything_goes_on_over_it(over_tcp) -> None:
    network, device = over_tcp
    network.closed.add(("127.0.0.1", CLIENT))
    before = device.client._reg_event.call_id
    network.log.clear()
    network.cut(CLIENT)
    assert device.said("connection lost") == [{"remote": "127.0.0.1:5060"}]
    network.run(1)
    assert network.lines(CLIENT, CORE) == [
        "5090>5060 REGISTER",
        "5090>5060 SUBSCRIBE reg",
        "5090>5060 200 NOTIFY",
    ]
    assert device.client._reg_event.call_id == before
    device.client.change(network.now, answer_mode="manual")
    network.run(6)
    assert device.shown["settings"]["entities"][0]["answer_mode"] == "manual"
    assert device.refused == []


def test_a_connection_that_is_lost_again_and_again_is_made_anew_less_often(over_tcp) -> None:
    network, _ = over_tcp
    times = []
    for _ in range(6):
        network.cut(CLIENT)
        lost = network.now
        network.log.clear()
        while not seen(network, CLIENT, CORE, "REGISTER"):
            network.run(0.25)
        times.append(network.now - lost)
        network.run(0.25)
    assert times == [0.5, 1, 2, 4, 8, 16]
    network.run(200)
    network.cut(CLIENT)
    network.log.clear()
    network.run(0.5)
    assert seen(network, CLIENT, CORE, "REGISTER")


def test_a_connection_somebody_else_opened_may_go_without_a_word(over_tcp) -> None:
    network, device = over_tcp
    engine = device.engine
    stranger = engine.accepted(engine.listener("main", "TCP"), ("127.0.0.9", 4711))
    engine.transport_failed(stranger, network.now)
    assert device.said("connection lost") == []


def test_a_client_over_udp_does_not_register_anew_for_a_connection(make_world, make_device) -> None:
    network, _ = demo(make_world, make_device, "UDP", "UDP")
    network.log.clear()
    network.cut(CLIENT)
    network.run(30)
    assert seen(network, CLIENT, CORE, "REGISTER") == []


def test_a_notify_for_a_client_that_is_gone_is_told_430_and_the_subscription_stays(over_tcp) -> None:
    network, _ = over_tcp
    network.run(6)  # so that no notification waits for its time
    network.closed |= {("127.0.0.1", CLIENT), ("127.0.0.1", CORE)}
    network.cut(CLIENT)
    user = network.server.users.of("sip:alice@ims.example")
    network.log.clear()
    network.server.settings.changed(user, network.now)
    network.run(0.1)
    (answer,) = seen(network, CORE_FOR_SERVERS, SERVER, "SIP/2.0")
    assert answer.start_line == "SIP/2.0 430 Flow Failed"
    assert len(network.server.settings.notifier.watching("poc-settings", user.key)) == 1


def test_a_client_whose_connection_is_gone_is_reached_by_its_contact(over_tcp) -> None:
    network, _ = over_tcp
    network.run(6)
    network.closed.add(("127.0.0.1", CORE))  # it cannot come back by itself
    network.cut(CLIENT)
    user = network.server.users.of("sip:alice@ims.example")
    network.log.clear()
    network.server.settings.changed(user, network.now)
    network.run(0.1)
    assert "5060>5090" in network.opened()
    assert [each.status for each in seen(network, CORE_FOR_SERVERS, SERVER, "SIP/2.0")] == [200]


def message_to_alice(network):
    """An initial request for alice from a trusted server."""
    answers = []
    engine, _ = network.engines["127.0.0.1", SERVER]
    request = Request(
        "MESSAGE",
        "sip:alice@ims.example",
        [
            ("Route", "<sip:127.0.0.1:5054;lr>"),
            ("From", "<sip:poc.ims.example>;tag=m"),
            ("To", "<sip:alice@ims.example>"),
            ("Call-ID", "message"),
            ("CSeq", "1 MESSAGE"),
        ],
    )
    engine.send_request(request, lambda outcome, now: answers.append(outcome), network.now)
    network.run(0.1)
    return answers


def test_an_initial_request_takes_the_connection_of_the_binding(over_tcp) -> None:
    network, _ = over_tcp
    network.closed.add(("127.0.0.1", CLIENT))
    (answer,) = message_to_alice(network)
    assert isinstance(answer, Response)
    assert answer.status == 405  # the client's own word
    assert network.opened() == ["5054>5070", "5070>5054", "5090>5060"]


def test_a_user_whose_connection_and_contact_are_gone_is_480(over_tcp) -> None:
    network, _ = over_tcp
    network.closed |= {("127.0.0.1", CLIENT), ("127.0.0.1", CORE)}
    network.cut(CLIENT)
    (answer,) = message_to_alice(network)
    assert isinstance(answer, Response)
    assert answer.status == 480


def test_another_connection_from_the_same_address_must_say_who_it_is(over_tcp) -> None:
    network, _ = over_tcp
    stranger = network.engine("TCP", main=("127.0.0.1", 5099))
    outcomes = []
    request = Request(
        "SUBSCRIBE",
        "sip:alice@ims.example",
        [
            ("Route", "<sip:127.0.0.1:5060;transport=tcp;lr>"),
            ("From", "<sip:alice@ims.example>;tag=x"),
            ("To", "<sip:alice@ims.example>"),
            ("Call-ID", "stranger"),
            ("CSeq", "1 SUBSCRIBE"),
            ("Contact", "<sip:alice@127.0.0.1:5099;transport=tcp>"),
            ("Event", "reg"),
        ],
    )
    stranger.send_request(request, lambda outcome, now: outcomes.append(outcome), network.now)
    network.run(0.1)
    assert [outcome.status for outcome in outcomes] == [407]
