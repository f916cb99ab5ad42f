"""PoC users. A user is a set of PoC Addresses: the public identities that one reg event shows with the PoC tag.

Before the reg event tells, a user is whoever a trusted P-Asserted-Identity names, so that nothing has to wait for it.
What was done under such a name is the user's own as soon as the reg event puts the names together.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from talkburst.sip.flow import DEFAULT_PORT
from talkburst.sip.journal import Journal, Row, Rows, as_row, flag, items, optional_text, text, texts
from talkburst.sip.uri import SipUri, UriError, parse_uri
from talkburst.xml.reginfo import Contact

TABLE: Final = "users"


def address_of_record(text: str) -> str | None:
    """The canonical form in which addresses are compared (RFC 3261 10.3 step 5); None for what is no URI."""
    try:
        return parse_uri(text).addr_of_record()
    except UriError:
        return None


@dataclass(slots=True, frozen=True)
class PocContact:
    """A contact that carries the PoC tag: its URI, where it is reached, and its instance id (RFC 5626 4.1) if any."""

    uri: str
    sent_by: str
    instance: str | None

    @classmethod
    def of(cls, contact: Contact) -> "PocContact":
        instance = contact.param("+sip.instance")
        try:
            uri = parse_uri(contact.uri)
        except UriError:
            uri = None
        sent_by = f"{uri.host}:{uri.port or DEFAULT_PORT}".lower() if isinstance(uri, SipUri) else ""
        return cls(contact.uri, sent_by, instance.strip().strip("<>") or None if instance else None)

    def to_row(self) -> Row:
        return {"uri": self.uri, "sent_by": self.sent_by, "instance": self.instance}

    @classmethod
    def from_row(cls, row: Row) -> "PocContact":
        return cls(text(row, "uri"), text(row, "sent_by"), optional_text(row, "instance"))

    @property
    def key(self) -> str:
        """What tells this contact from the user's others, also when it moves to another port."""
        return self.instance or self.uri


@dataclass(slots=True, eq=False)
class User:
    """`key` names the user's settings record; `keys` are all names it had before reg events joined them."""

    key: str
    addresses: list[str]
    keys: set[str] = field(default_factory=set)
    confirmed: bool = False
    contacts: list[PocContact] = field(default_factory=list)

    @property
    def name(self) -> str:
        """For a human. A user whose addresses have all moved to others goes on under its key."""
        return self.addresses[0] if self.addresses else self.key

    def to_row(self) -> Row:
        return {
            "addresses": list(self.addresses),
            "keys": sorted(self.keys),
            "confirmed": self.confirmed,
            "contacts": [contact.to_row() for contact in self.contacts],
        }

    @classmethod
    def from_row(cls, key: str, row: Row) -> "User":
        contacts = [PocContact.from_row(as_row(contact, "contacts")) for contact in items(row, "contacts")]
        return cls(key, texts(row, "addresses"), set(texts(row, "keys")), flag(row, "confirmed"), contacts)


class Users:
    """Finds the user behind an address. Addresses are canonical (`address_of_record`).

    `on_merge(old, new)` is called with settings keys when two users turn out to be one. With a journal every user is a
    row of the table "users" under its key.
    """

    def __init__(
        self, on_merge: Callable[[str, str], None] = lambda old, new: None, *, journal: Journal | None = None
    ) -> None:
        self.on_merge = on_merge
        self.on_new: Callable[[User], None] = lambda user: None
        """Told of each user that there was none of."""
        self._journal = journal
        self._by_address: dict[str, User] = {}
        self._by_key: dict[str, User] = {}

    def restore(self, rows: Rows) -> None:
        """Makes the users what `rows` say, whatever they are now. Raises RowError."""
        users = [User.from_row(key, row) for key, row in rows.items()]
        self._by_key = {key: user for user in users for key in user.keys}
        self._by_address = {address: user for user in users for address in user.addresses}

    def keep(self, user: User) -> None:
        """Writes a user to the journal as it is now."""
        if self._journal is not None:
            self._journal.put(TABLE, user.key, user.to_row())

    def of(self, address: str) -> User | None:
        """The user that has this address, if one is known."""
        return self._by_address.get(address)

    def by_key(self, key: str) -> User | None:
        """The user whose settings key this is or once was."""
        return self._by_key.get(key)

    def all(self) -> list[User]:
        """Every user once."""
        return list(dict.fromkeys(self._by_key.values()))

    def asserted(self, identities: Iterable[str]) -> User | None:
        """The user whom one P-Asserted-Identity names; None without an identity.

        It may hold a SIP URI and a tel URI of the same user (RFC 3325 9.1). A reg event knows better: where one has
        named the addresses of the first, the second joins only if no user has it yet.
        """
        addresses = list(identities)
        if not addresses:
            return None
        user = self._by_address.get(addresses[0]) or self._new(addresses[0])
        for address in addresses[1:]:
            other = self._by_address.get(address)
            if other is None:
                self._join(user, address)
            elif other is not user and not other.confirmed:
                self._merge(other, user)
        return user

    def learn(self, watched: str, addresses: Iterable[str]) -> User | None:
        """The user to whom the reg event of `watched` gives these PoC Addresses; None when it gives none.

        An address that another reg event gave to somebody else has moved: it is taken from there, and nothing with it.
        """
        given = list(dict.fromkeys(addresses))
        if not given:
            return None
        first = watched if watched in given else given[0]
        user = self._by_address.get(first) or self._new(first)
        for address in given:
            other = self._by_address.get(address)
            if other is user:
                continue
            if other is None:
                self._join(user, address)
            elif other.confirmed:
                other.addresses.remove(address)
                self.keep(other)
                self._join(user, address)
            else:
                self._merge(other, user)
        user.addresses = given + [address for address in user.addresses if address not in given]
        user.confirmed = True
        self.keep(user)
        return user

    def forget(self, user: User) -> None:
        """There is no such user any more. Nothing may be left under its key."""
        for address in user.addresses:
            del self._by_address[address]
        for key in user.keys:
            del self._by_key[key]
        if self._journal is not None:
            self._journal.delete(TABLE, user.key)

    def _new(self, address: str) -> User:
        user = User(address, [address], {address})
        # No two users have the same key, also when the address it comes from has moved on to another one.
        while user.key in self._by_key:
            user.key += "#"
            user.keys = {user.key}
        self._by_address[address] = self._by_key[user.key] = user
        self.keep(user)
        self.on_new(user)
        return user

    def _join(self, user: User, address: str) -> None:
        user.addresses.append(address)
        self._by_address[address] = user
        self.keep(user)

    def _merge(self, gone: User, user: User) -> None:
        for address in gone.addresses:
            self._join(user, address)
        for key in gone.keys:
            self._by_key[key] = user
        user.keys |= gone.keys
        if self._journal is not None:
            self._journal.delete(TABLE, gone.key)
        self.keep(user)
        self.on_merge(gone.key, user.key)
