"""The world of many users that the benches measure in."""

import tomllib
from pathlib import Path

import pytest

import users
from talkburst_core import credentials, profile
from talkburst_xdms.accounts import Account, Accounts


def subscribers_in(directory: Path) -> profile.Subscribers:
    files = sorted((directory / "profiles").iterdir())
    subscribers, defects = profile.load((file.name, file.read_bytes()) for file in files)
    assert not defects
    return subscribers


def test_every_user_has_a_profile_a_password_and_an_account(tmp_path: Path) -> None:
    users.write(tmp_path, 12)
    subscribers = subscribers_in(tmp_path)
    passwords = credentials.load("credentials.toml", (tmp_path / "credentials.toml").read_text())
    accounts = tomllib.loads((tmp_path / "accounts.toml").read_text())["xdms"]["accounts"]
    homes = Accounts(Account(identity, table["password"]) for identity, table in accounts.items())
    assert len(subscribers) == len(passwords) == len(accounts) == 12
    for number in range(12):
        user = users.private_id(number)
        subscriber = subscribers.by_private_id(user)
        assert subscriber is not None
        assert subscriber is subscribers.by_identity(f"sip:{user}")
        assert passwords[user].password == users.PASSWORD
        assert homes.owner(f"sip:{user}") is not None


@pytest.mark.parametrize(("server", "servers"), [("sip:poc.ims.test", {"sip:poc.ims.test"}), (None, set())])
def test_the_criteria_name_the_server_or_there_are_none(tmp_path: Path, server: str | None, servers: set[str]) -> None:
    users.write(tmp_path, 2, domain="ims.test", server=server)
    for subscriber in subscribers_in(tmp_path):
        assert subscriber.key.endswith("@ims.test")
        assert subscriber.application_servers == servers
