"""What the user of a client is told of a change of settings, and what a client lacks until it is published."""

from contextlib import contextmanager

import pytest

from talkburst.sip.defects import Defect
from talkburst.sip.message import Request
from talkburst.ua.settings import Wishes

ONE = "urn:uuid:00000000-0000-4000-8000-000000000001"


# What the user is told of a change


class Told(list):
    """What became of changes."""

    def __call__(self, fate, why):
        self.append((fate.value, why))


class Declining:
    """The event package of a server that takes no document."""

    def __init__(self, package, defect):
        self._package, self._defect = package, defect

    def __getattr__(self, name):
        return getattr(self._package, name)

    def read(self, body):
        return self._defect


@contextmanager
def declining(world, defect):
    """The server answers so to each document."""
    compositor = world.server.settings.compositor
    package, compositor._package = compositor._package, Declining(compositor._package, defect)
    yield
    compositor._package = package


def test_a_change_is_told_when_the_server_has_it(make_world, make_device):
    world, told = make_world(), Told()
    device = make_device(world)
    device.start(20)
    device.client.adopt(world.now, Wishes("manual"), told)
    assert told == []
    world.run(1)
    assert told == [("published", "")]
    assert world.stored() == {ONE: "manual"}


def test_a_change_while_the_first_publication_is_under_way_is_told_when_the_change_is_stored(make_world, make_device):
    world, told = make_world(), []
    device = make_device(world)
    seen = []

    def change(message, source, target):
        if not seen and isinstance(message, Request) and message.method == "PUBLISH" and source[1] == 5090:
            seen.append(message)
            device.client.adopt(
                world.now, Wishes("manual"), lambda fate, why: told.append((fate.value, world.stored()))
            )
        return False

    world.drop = change
    device.start()
    assert told == [("published", {ONE: "manual"})]
    assert len(world.requests("PUBLISH", 5090)) == 2


def test_a_refused_change_is_told_and_what_was_published_stays(make_world, make_device):
    world, told = make_world(), Told()
    device = make_device(world)
    device.start(20)
    with declining(world, Defect("", "not today", 403)):
        device.client.adopt(world.now, Wishes("manual"), told)
        world.run(1)
    [(fate, why)] = told
    assert fate == "refused"
    assert why.startswith("403 ")
    device.client.restore(world.now, Wishes())
    world.run(7200)
    assert world.stored() == {ONE: "automatic"}
    assert device.shown["wishes"]["answer_mode"] == "automatic"


def test_a_change_without_a_registration_is_told_to_wait_and_published_later(make_world, make_device):
    world, told = make_world(), Told()
    world.drop = lambda message, source, target: True
    device = make_device(world)
    device.start()
    device.client.adopt(world.now, Wishes("manual"), told)
    assert told == [("pending", "the client is not registered, it is registering")]
    world.drop = lambda message, source, target: False
    world.run(60)
    assert world.stored() == {ONE: "manual"}


def test_a_change_that_the_server_cannot_take_now_is_told_to_wait_and_published_later(make_world, make_device):
    world, told = make_world(), Told()
    device = make_device(world)
    device.start(20)
    with declining(world, Defect("", "busy", 503)):
        device.client.adopt(world.now, Wishes("manual"), told)
        world.run(0.1)
    [(fate, why)] = told
    assert fate == "pending"
    assert why.startswith("500 ")  # RFC 3261 16.7: the core does not pass on a 503
    assert why.endswith("; trying again")
    world.run(60)
    assert world.stored() == {ONE: "manual"}
    assert len(told) == 1


def test_a_change_while_nothing_listens_at_the_core_says_so_and_is_published_later(make_world, make_device):
    world, told = make_world(), Told()
    device = make_device(world)
    device.start(20)
    core = world.engines.pop(("127.0.0.1", 5060))
    device.client.adopt(world.now, Wishes("manual"), told)
    world.run(0.1)
    assert told == [("pending", "the core cannot be reached; trying again")]
    world.engines["127.0.0.1", 5060] = core
    world.run(60)
    assert world.stored() == {ONE: "manual"}


def test_going_back_to_a_configuration_that_publishes_nothing_withdraws(make_world, make_device):
    world, told = make_world(), Told()
    device = make_device(world, publish=False)
    device.start(20)
    device.client.adopt(world.now, Wishes("manual"), told)
    world.run(1)
    device.client.adopt(world.now, Wishes(publish=False), told)
    world.run(1)
    assert told == [("published", ""), ("withdrawn", "")]
    assert world.stored() == {}


def test_the_client_lacks_something_until_its_settings_are_published(make_world, make_device):
    world = make_world(with_server=False)
    device = make_device(world)
    lacks = device.client.lacks
    assert lacks() == "registration: not registered"
    world.drop = lambda message, source, target: target[1] == 5060
    device.start()
    assert lacks() == "registration: registering"
    world.drop = lambda message, source, target: False
    world.run(10)
    assert lacks().startswith("settings not told yet; subscription: ")
    world.start_server()
    world.drop = lambda message, source, target: target[1] == 5070 and getattr(message, "method", "") == "PUBLISH"
    world.run(40)
    assert lacks() == "settings: waiting to try again"
    world.drop = lambda message, source, target: False
    world.run(60)
    assert lacks() == ""


@pytest.mark.parametrize("wishes", [{"publish": False}, {"on_conflict": "keep"}])
def test_a_client_that_publishes_nothing_lacks_nothing_once_it_was_told(make_world, make_device, wishes):
    world = make_world()
    make_device(world).start(20)
    second = make_device(world, port=5091, number=2, private_id="alice-2@ims.example", **wishes)
    second.start(20)
    assert world.requests("PUBLISH", 5091) == []
    assert second.client.lacks() == ""
