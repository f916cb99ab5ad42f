"""What the core knows of a user: the profile and where it is written down."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import NamedTuple

import talkburst_core
from talkburst_core import profile


class UserProfile(NamedTuple):
    """A file with an IMSSubscription and the public identities in it."""

    path: str
    identities: tuple[str, ...] = ()


def profile_of(private_id: str, directory: str) -> UserProfile:
    """The profile of a private identity; where there is none that can be read, the directory alone."""
    place = Path(directory) if directory else resources.files(talkburst_core) / "world" / "profiles"
    files = [file for file in place.iterdir() if file.name.endswith(".xml")] if place.is_dir() else []
    for file in files:
        subscribers, _ = profile.load([(file.name, file.read_bytes())])
        subscriber = subscribers.by_private_id(private_id)
        if subscriber is not None:
            return UserProfile(str(file), tuple(identity.uri for identity in subscriber.identities))
    return UserProfile(str(place))
