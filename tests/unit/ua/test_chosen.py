"""Settings chosen at run time: how long they hold, and against what."""

import contextlib
import os
import resource

import pytest

from talkburst.ua.chosen import ChosenSettings
from talkburst.ua.settings import Wishes
from talkburst.ua.state import ClientState

NOW = 1_763_820_000.0


@pytest.fixture
def client(tmp_path):
    """A client's next life, with that configuration; `client.said` is what it decided."""

    lives = contextlib.ExitStack()

    def start(**configured):
        start.said = []
        lives.close()
        state = ClientState(tmp_path, "alice@ims.example")
        lives.callback(state.close)
        return ChosenSettings(Wishes(**configured), state, lambda what, facts: start.said.append((what, facts)))

    yield start
    lives.close()


def test_without_a_choice_the_configuration_holds(client):
    chosen = client(answer_mode="manual", on_conflict="keep")
    assert chosen.wishes == Wishes("manual", on_conflict="keep")
    assert chosen.source == "the configuration"
    assert client.said == []


def test_a_choice_survives_a_restart_and_says_so(client):
    client().choose("manual", None, NOW)
    chosen = client()
    assert (chosen.wishes.answer_mode, chosen.wishes.barring) == ("manual", False)
    assert chosen.source == "client settings, 2025-11-22T14:00:00Z"
    [(what, facts)] = client.said
    assert what == "settings as chosen with client settings, not as configured"
    assert facts == {"answer_mode": "manual", "barring": False, "chosen": "2025-11-22T14:00:00Z"}


@pytest.mark.parametrize("configured", [{"answer_mode": "manual"}, {"barring": True}, {"publish": False}])
def test_a_configuration_that_has_changed_since_wins_for_good_and_says_so(client, configured):
    client().choose("manual", True, NOW)
    assert client(**configured).wishes == Wishes(**configured)
    assert [what for what, _ in client.said] == [
        "settings as configured: the configuration has changed since others were chosen"
    ]
    assert client().wishes == Wishes()
    assert client.said == []


def test_what_else_the_configuration_says_may_change(client):
    client().choose("manual", None, NOW)
    assert client(on_conflict="keep").wishes.answer_mode == "manual"


def test_reset_goes_back_to_the_configuration(client):
    chosen = client()
    chosen.choose("manual", True, NOW)
    chosen.keep(None)
    assert chosen.wishes == client().wishes == Wishes()


def test_a_choice_is_published_though_the_configuration_publishes_nothing(client):
    client(publish=False).choose("manual", None, NOW)
    assert client(publish=False).wishes.publish


def test_a_choice_goes_over_the_settings_of_others_until_the_server_had_it(client):
    client(on_conflict="keep").choose("manual", None, NOW)
    chosen = client(on_conflict="keep")
    assert chosen.wishes.on_conflict == "override"
    chosen.published()
    assert client(on_conflict="keep").wishes.on_conflict == "keep"


@pytest.mark.parametrize(
    "kept",
    [
        7,
        [],
        {},
        {"answer_mode": "maybe", "barring": True, "configured": {}},
        {"answer_mode": ["manual"], "barring": True, "configured": {}},
        {"answer_mode": "manual", "barring": 1, "configured": {}},
        {"answer_mode": "manual", "barring": True},
    ],
)
def test_a_choice_that_cannot_be_read_is_none(client, tmp_path, kept):
    state = ClientState(tmp_path, "alice@ims.example")
    state.keep_choice(kept)
    state.close()
    assert client().wishes == Wishes()


def test_a_choice_that_cannot_be_kept_is_not_made_and_leaves_nothing_behind(client, tmp_path):
    chosen = client()
    chosen.choose("manual", None, NOW)
    files = sorted(tmp_path.iterdir())
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            chosen.choose("automatic", True, NOW)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert caught.value.filename == os.fspath(files[0])
    assert chosen.wishes.answer_mode == client().wishes.answer_mode == "manual"
    assert sorted(tmp_path.iterdir()) == files
