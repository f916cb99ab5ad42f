"""The whole flow between three engines: client, core and PoC server, on one virtual clock."""

import pytest

ALICE = "sip:alice@ims.example"
ONE = "urn:uuid:00000000-0000-4000-8000-000000000001"
TWO = "urn:uuid:00000000-0000-4000-8000-000000000002"


def exchange(request, notify):
    """A request of the client, the NOTIFY it leads to, and both answers, in no order."""
    answer = request.partition(" ")[0]
    return sorted([f"5090>5060 {request}", f"5060>5090 200 {answer}", f"5060>5090 {notify}", "5090>5060 200 NOTIFY"])


def test_first_client_registers_and_publishes_step_by_step(make_world, make_device):
    world = make_world()
    device = make_device(world)
    device.start()
    client = [line for line in world.lines() if "5090" in line]
    assert client[:4] == [
        "5090>5060 REGISTER",
        "5060>5090 401 REGISTER",
        "5090>5060 REGISTER",
        "5060>5090 200 REGISTER",
    ]
    assert sorted(client[4:8]) == exchange("SUBSCRIBE reg", "NOTIFY reg")
    assert sorted(client[8:12]) == exchange("SUBSCRIBE poc-settings", "NOTIFY poc-settings")
    assert sorted(client[12:]) == exchange("PUBLISH poc-settings", "NOTIFY poc-settings")
    server = [line for line in world.lines() if "5070" in line]
    assert server[0] == "5054>5070 REGISTER"
    for line in ("5070>5054 SUBSCRIBE reg", "5054>5070 NOTIFY reg", "5054>5070 SUBSCRIBE poc-settings"):
        assert server.count(line) == 1
    assert world.fetched == [[ALICE, "sip:+12025550101@ims.example;user=phone", "tel:+12025550101"]]
    assert world.stored() == {ONE: "automatic"}
    assert device.shown["settings"]["entities"][0]["answer_mode"] == "automatic"
    assert device.shown["poc_address"] == ALICE


def test_notify_before_the_200_makes_no_difference(make_world, make_device):
    world = make_world(notify_first=True)
    device = make_device(world)
    device.start()
    lines = [line for line in world.lines() if line.endswith(("200 SUBSCRIBE", "NOTIFY reg", "NOTIFY poc-settings"))]
    assert lines.index("5060>5090 NOTIFY reg") < lines.index("5060>5090 200 SUBSCRIBE")
    assert world.stored() == {ONE: "automatic"}
    assert len(world.requests("SUBSCRIBE", 5090)) == 2


def test_second_client_overrides_and_the_first_is_told(make_world, make_device):
    world = make_world()
    first = make_device(world)
    first.start(20)
    second = make_device(world, port=5091, number=2, private_id="alice-2@ims.example", answer_mode="manual")
    second.start(20)
    assert second.said("publishing over another client's settings")
    assert world.stored() == {ONE: "automatic", TWO: "manual"}
    assert {each["id"] for each in first.shown["settings"]["entities"]} == {ONE, TWO}
    assert world.server.settings.effective(world.server.users.of(ALICE)).id == TWO


def test_second_client_may_keep_what_the_first_published(make_world, make_device):
    world = make_world()
    make_device(world).start(20)
    second = make_device(world, port=5091, number=2, private_id="alice-2@ims.example", on_conflict="keep")
    second.start(20)
    assert world.requests("PUBLISH", 5091) == []
    assert world.stored() == {ONE: "automatic"}
    second.client.change(world.now, answer_mode="manual")
    world.run(1)
    assert world.stored() == {ONE: "automatic", TWO: "manual"}


def test_device_without_isim_takes_its_poc_address_from_the_reg_event(make_world, make_device):
    world = make_world()
    private_id = "001010000000004@ims.mnc001.mcc001.3gppnetwork.org"
    device = make_device(world, private_id=private_id, public_id=f"sip:{private_id}", password="dave")
    device.start()
    assert [str(request.uri) for request in world.requests("SUBSCRIBE", 5090)] == ["sip:dave@ims.example"] * 2
    assert world.stored("sip:dave@ims.example") == {ONE: "automatic"}


class Illegible:
    """An event package whose documents are none."""

    def __init__(self, package):
        self._package = package

    def __getattr__(self, name):
        return getattr(self._package, name)

    def state(self, subscription, now):
        return b"<html/>"


def test_reg_event_that_is_not_understood_costs_one_line_and_not_the_settings(make_world, make_device):
    world = make_world()
    packages = world.core.notifier._packages
    packages["reg"] = Illegible(packages["reg"])
    device = make_device(world)
    device.start()
    assert device.said("reg event not understood")
    assert device.shown["poc_address"] == ALICE
    assert world.stored() == {ONE: "automatic"}


def test_client_that_publishes_nothing_only_watches(make_world, make_device):
    world = make_world()
    device = make_device(world, publish=False)
    device.start(20)
    assert world.requests("PUBLISH") == []
    assert device.shown["settings"]["entities"] == []


def test_requests_for_settings_want_poc_clients_only_and_say_who_asks(make_world, make_device):
    world = make_world()
    make_device(world).start()
    _, subscribe = world.requests("SUBSCRIBE", 5090)
    (publish,) = world.requests("PUBLISH", 5090)
    for request in (subscribe, publish):
        assert request.get("Accept-Contact") == "*;+g.poc.talkburst;require;explicit"
        assert request.get("P-Preferred-Identity") == f"<{ALICE}>"
        assert request.get("To") == f"<{ALICE}>"
        assert request.get("From").startswith(f"<{ALICE}>;tag=")
        assert request.get("User-Agent") == "PoC-client/OMA1.0"
        assert request.get("Route") == "<sip:orig@127.0.0.1:5060;lr>"
    assert subscribe.get("Expires") == publish.get("Expires") == "3600"


def test_changed_settings_modify_the_publication(make_world, make_device):
    world = make_world()
    device = make_device(world)
    device.start(20)
    device.client.change(world.now, answer_mode="manual", barring=True)
    world.run(1)
    first, second = world.requests("PUBLISH", 5090)
    assert first.get("SIP-If-Match") is None
    assert second.get("SIP-If-Match")
    (entity,) = device.shown["settings"]["entities"]
    assert (entity["answer_mode"], entity["barring"]) == ("manual", True)


def test_taking_leave_removes_everything_in_order(make_world, make_device):
    world = make_world()
    device = make_device(world)
    device.start(20)
    world.log.clear()
    assert device.stop() < 0.1
    sent = [request for from_, _, request in world.log if from_[1] == 5090 and hasattr(request, "method")]
    assert [(request.method, request.get("Event"), request.get("Expires")) for request in sent] == [
        ("PUBLISH", "poc-settings", "0"),
        ("SUBSCRIBE", "reg", "0"),
        ("SUBSCRIBE", "poc-settings", "0"),
        ("REGISTER", None, "0"),
    ]
    assert world.stored() == {}
    assert world.server.third_party.registrations == []
    assert device.etags == {ALICE: None}
    assert device.engine.next_deadline() is None or device.engine.next_deadline() < world.now + 64


def test_taking_leave_of_a_core_that_is_silent_is_bounded(make_world, make_device):
    world = make_world()
    device = make_device(world)
    device.start(20)
    world.drop = lambda message, source, target: source[1] == 5090
    assert device.stop() == pytest.approx(4.5)


def test_everything_is_kept_up_for_a_day(make_world, make_device):
    world = make_world()
    device = make_device(world)
    device.start(24 * 3600)
    assert world.stored() == {ONE: "automatic"}
    assert device.shown["registration"] == "registered"
    assert device.shown["reg_subscription"] == "active"
    assert device.shown["settings"]["subscription"] == "active"
    assert not device.said("ended")
    assert len(world.core.notifier.subscriptions) == 2
    assert len(world.server.settings.notifier.subscriptions) == 1
    # Granted an hour, renewed ten minutes before its end.
    assert world.lines().count("5060>5090 200 REGISTER") == 1 + 24 * 3600 // 3000


def test_core_that_starts_later_is_found(make_world, make_device):
    world = make_world()
    address = ("127.0.0.1", 5060)
    core = world.engines.pop(address)
    device = make_device(world)
    device.start(3)
    assert device.said("cannot be reached")
    world.engines[address] = core
    world.run(5)
    assert world.stored() == {ONE: "automatic"}


def test_server_that_starts_later_is_found(make_world, make_device):
    world = make_world(with_server=False)
    device = make_device(world)
    device.start(3)
    assert device.said("subscription ended, trying again")[0]["why"].startswith("5")
    world.start_server()
    world.run(20)
    assert world.stored() == {ONE: "automatic"}


def test_server_that_lost_everything_is_told_again(make_world, make_device):
    world = make_world()
    device = make_device(world)
    device.start(20)
    world.start_server()
    world.run(3600)
    assert world.stored() == {ONE: "automatic"}
    assert device.shown["settings"]["subscription"] == "active"


def test_change_at_a_server_that_lost_everything_brings_the_subscription_back(make_world, make_device):
    world = make_world()
    device = make_device(world)
    device.start(20)
    world.start_server()
    device.client.change(world.now, answer_mode="manual")
    world.run(5)
    assert world.stored() == {ONE: "manual"}
    assert len(world.server.settings.notifier.subscriptions) == 1
    assert [entity["answer_mode"] for entity in device.shown["settings"]["entities"]] == ["manual"]


def test_change_at_a_core_that_lost_everything_brings_the_registration_back(make_world, make_device):
    world = make_world()
    device = make_device(world)
    device.start(20)
    world.start_core()
    device.client.change(world.now, answer_mode="manual")
    world.run(10)
    assert world.stored() == {ONE: "manual"}
    assert [entity["answer_mode"] for entity in device.shown["settings"]["entities"]] == ["manual"]
    assert device.shown["reg_subscription"] == "active"
    assert len(list(world.core.registrar.registrations())) == 1
    assert len(world.core.notifier.subscriptions) == 2


def test_client_that_crashed_modifies_what_it_published_before(make_world, make_device):
    world = make_world()
    device = make_device(world, answer_mode="manual")
    device.start(20)
    (etag,) = device.etags.values()
    again = make_device(world, etag=etag)
    world.log.clear()
    again.start(20)
    assert [request.get("SIP-If-Match") for request in world.requests("PUBLISH", 5090)] == [etag]
    assert world.stored() == {ONE: "automatic"}


def test_unknown_tag_from_before_a_restart_costs_one_more_publish(make_world, make_device):
    world = make_world()
    make_device(world, etag="long-gone").start(20)
    assert [request.get("SIP-If-Match") for request in world.requests("PUBLISH", 5090)] == ["long-gone", None]
    assert world.stored() == {ONE: "automatic"}


def test_client_that_crashed_replaces_its_binding_and_answers_its_old_dialogs_481(make_world, make_device):
    world = make_world()
    make_device(world).start(20)
    again = make_device(world)
    world.log.clear()
    again.start(20)
    (registration,) = world.core.registrar.registrations()
    assert len(registration.bindings) == 1
    assert "5090>5060 481 NOTIFY" in world.lines()
    world.log.clear()
    again.client.change(world.now, barring=True)
    world.run(20)
    assert world.lines().count("5060>5090 NOTIFY poc-settings") == 1
    assert "5090>5060 481 NOTIFY" not in world.lines()
    assert len(world.core.notifier.subscriptions) == 2
    assert len(world.server.settings.notifier.subscriptions) == 1


def test_client_that_crashed_and_keeps_others_settings_does_not_come_last_by_that(make_world, make_device):
    world = make_world()
    first = make_device(world, on_conflict="keep")
    first.start(20)
    make_device(world, port=5091, number=2, private_id="alice-2@ims.example", answer_mode="manual").start(20)
    etag = first.etags[ALICE]
    again = make_device(world, etag=etag, on_conflict="keep")
    world.log.clear()
    again.start(24 * 3600)
    resumed = world.requests("PUBLISH", 5090)[0]
    assert (resumed.get("SIP-If-Match"), resumed.body) == (etag, b"")
    assert world.stored() == {ONE: "automatic", TWO: "manual"}
    assert world.server.settings.effective(world.server.users.of(ALICE)).id == TWO


def test_contact_that_the_core_dropped_is_registered_again(make_world, make_device):
    world = make_world()
    device = make_device(world)
    device.start(20)
    registration = next(iter(world.core.registrar.registrations()))
    world.core.registrar.deregister(registration.subscriber, "by the operator", world.now)
    world.run(20)
    assert device.said("the home network ended the registration")
    assert world.stored() == {ONE: "automatic"}
    assert device.shown["reg_subscription"] == "active"


@pytest.mark.parametrize("lost", range(1, 60, 7))
def test_lost_datagrams_are_made_up_for(make_world, make_device, lost):
    world = make_world()
    seen = iter(range(10_000))
    world.drop = lambda message, source, target: next(seen) % 7 == lost % 7
    device = make_device(world)
    device.start(60)
    assert world.stored() == {ONE: "automatic"}
    assert device.shown["registration"] == "registered"
