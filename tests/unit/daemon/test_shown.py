"""What `show` answers of a daemon with many users, and how a person reads it."""

import json

import pytest

from talkburst.daemon.outline import outline
from talkburst.daemon.shown import Counted, Listing, Table, select


class Users:
    """A daemon's thousands of users; counts the entries that are made."""

    def __init__(self, count):
        self.made = 0
        self.items = [f"sip:u{number}@ims.example" for number in range(count)]

    def show(self):
        return {
            "domain": "ims.example",
            "users": Listing(self.items, self.entry, lambda uri: [uri, uri.replace("sip:", "x-")], same_user=True),
            "watchers": Listing(self.items, lambda uri: {"watches": f"x-{uri[4:]}"}, lambda uri: [f"x-{uri[4:]}"]),
            "documents": Table(dict.fromkeys(self.items), self.entry),
        }

    def entry(self, uri):
        self.made += 1
        return {"uri": uri}


def test_a_limit_makes_no_more_entries_than_it_shows_and_counts_the_rest():
    users = Users(10_000)
    shown = select(users.show(), limit=3)
    assert [each["uri"] for each in shown["users"]] == users.items[:3]
    assert shown["more"] == {"users": 9_997, "watchers": 9_997, "documents": 9_997}
    assert shown["domain"] == "ims.example"
    assert users.made == 6


def test_without_a_limit_everything_is_there_and_nothing_is_said_of_more():
    shown = select(Users(30).show())
    assert len(shown["users"]) == len(shown["documents"]) == 30
    assert "more" not in shown
    json.dumps(shown)


@pytest.mark.parametrize("asked", ["sip:u7@ims.example", "u7@ims.example", "sip:u7@IMS.example;user=phone"])
def test_an_identity_selects_what_concerns_its_user_under_any_name(asked):
    assert select(Users(1000).show(), of=asked) == {
        "users": [{"uri": "sip:u7@ims.example"}],
        "watchers": [{"watches": "x-u7@ims.example"}],
        "documents": {"sip:u7@ims.example": {"uri": "sip:u7@ims.example"}},
    }


def test_of_what_is_counted_the_entries_are_shown_to_who_asks_for_one_of_them():
    items = ["sip:u1@ims.example", "sip:u2@ims.example"]
    shown = {"profiles": Counted(items, lambda uri: {"uri": uri}, lambda uri: [uri])}
    assert select(shown) == select(shown, limit=1) == {"profiles": 2}
    assert select(shown, of="u2@ims.example") == {"profiles": [{"uri": "sip:u2@ims.example"}]}


@pytest.mark.parametrize(
    ("of", "limit", "said"),
    [
        ("sip:nobody@ims.example", None, "nothing is known of sip:nobody@ims.example"),
        (7, None, "must be an identity"),
        (None, -1, "must be a whole number"),
        (None, True, "must be a whole number"),
        (None, "3", "must be a whole number"),
    ],
)
def test_what_cannot_be_selected_is_refused_in_words(of, limit, said):
    with pytest.raises(ValueError, match=said):
        select(Users(3).show(), of, limit)


def test_a_daemon_of_one_user_takes_no_identity():
    with pytest.raises(ValueError, match="one user here alone"):
        select({"public_id": "sip:alice@ims.example"}, "sip:alice@ims.example")


def test_a_person_reads_an_outline():
    answer = {
        "private_id": "alice@ims.example",
        "expires_in": 3421,
        "associated": ["sip:alice@ims.example", "tel:+12025550101"],
        "barred": [],
        "service_route": ["<sip:orig@x;lr>"],
        "settings": {"barring": False, "etag": None, "entities": [{"id": "one", "answer_mode": "manual"}]},
        "counters": {},
        "documents": {"sip:a_b@x": {"index": "e1"}},
    }
    assert outline(answer).splitlines() == [
        "private id     alice@ims.example",
        "expires in     3421 s",
        "associated",
        "  - sip:alice@ims.example",
        "  - tel:+12025550101",
        "barred         none",
        "service route  <sip:orig@x;lr>",
        "settings",
        "  barring  no",
        "  etag     -",
        "  entities",
        "    - id           one",
        "      answer mode  manual",
        "counters       none",
        "documents",
        "  sip:a_b@x",
        "    index  e1",
    ]


def test_what_peers_sent_cannot_steer_the_terminal():
    assert outline({"contact": "sip:\x1b[2Jx\n\udc80"}) == "contact  sip:\\x1b[2Jx\\n\\udc80"
    assert "\x1b" not in outline({"\x1b[2J": {"\x1bx": ["\x1b", "\x1b"]}})
