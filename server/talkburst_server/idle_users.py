"""Users of whom nothing is left are forgotten after a while, in memory and on disk.

Who comes back later is a new user: a name, its addresses and its contacts are all that is lost, and registration, reg
event and settings tell them again.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

from talkburst.sip.agenda import Agenda
from talkburst_server.users import User, Users

# Seconds between two looks at a user. Who is idle at two of them in a row is forgotten: after one to two hours.
LOOK_EVERY: Final = 3600.0


class IdleUsers:
    """Looks at each user now and then. `in_use(user)` says whether anything is left; `forgotten(user)` is told."""

    def __init__(
        self, agenda: Agenda, users: Users, in_use: Callable[[User], bool], forgotten: Callable[[User], None]
    ) -> None:
        self._agenda = agenda
        self._users = users
        self._in_use = in_use
        self._forgotten = forgotten
        users.on_new = self._watch

    def restore(self, now: float) -> None:
        """Begins to look at the users as they are now, at one after the other: there may be very many."""
        users = self._users.all()
        for number, user in enumerate(users, 1):
            self._look_at(now + LOOK_EVERY * number / len(users), user, False)

    def _watch(self, user: User) -> None:
        self._agenda.schedule(0.0, lambda now: self._look_at(now + LOOK_EVERY, user, False))

    def _look_at(self, at: float, user: User, idle: bool) -> None:
        self._agenda.schedule(at, partial(self._look, user, idle))

    def _look(self, user: User, was_idle: bool, now: float) -> None:
        if self._users.by_key(user.key) is not user:
            return  # it is part of another one, or the state was made anew
        idle = not self._in_use(user)
        if idle and was_idle:
            self._users.forget(user)
            self._forgotten(user)
        else:
            self._look_at(now + LOOK_EVERY, user, idle)
