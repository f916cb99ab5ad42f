"""Who has documents here, under which names, and who may read them all.

All aliases of an account name one home directory, that of its first identity: what a client stores under its tel URI
it finds under its SIP URI.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from talkburst.sip.uri import SipUri, UriError, parse_uri


@dataclass(slots=True, frozen=True)
class Account:
    """`identity` and `aliases` are URIs. A reader owns nothing, reads everything and writes nothing."""

    identity: str
    password: str
    aliases: tuple[str, ...] = ()
    reader: bool = False


class Accounts:
    """The accounts of one server. Raises ValueError for a name that is no URI or belongs to two accounts."""

    def __init__(self, accounts: Iterable[Account]) -> None:
        self._by_name: dict[str, Account] = {}
        self.default_realm = ""
        for account in accounts:
            for name in (account.identity, *account.aliases):
                key = canonical(name)
                if key is None:
                    raise ValueError(f"{name!r} is no SIP or tel URI")
                if self._by_name.setdefault(key, account) is not account:
                    raise ValueError(f"{name!r} belongs to two accounts")
            if not account.reader and not self.default_realm:
                self.default_realm = domain_of(account.identity)

    def named(self, name: str) -> Account | None:
        """The account with that identity or alias; `alice@ims.example` stands for the SIP URI."""
        key = canonical(name)
        return None if key is None else self._by_name.get(key)

    def owner(self, xui: str) -> Account | None:
        """The user whose home directory an XCAP user identifier names."""
        account = self.named(xui)
        return None if account is None or account.reader else account

    def home(self, account: Account) -> str:
        """The name of a user's home directory, whichever alias it was asked for under."""
        return canonical(account.identity) or account.identity

    def user_of_digest(self, username: str, realm: str) -> Account | None:
        """The account behind the username of Digest credentials: the identity with or without sip:, or its user part.

        Clients in the field send all three.
        """
        return self.named(username) or self.named(f"sip:{username}@{realm}")

    def realm(self, xui: str) -> str:
        """The Digest realm of a user's documents: the domain of the identity they are addressed by."""
        account = self.named(xui)
        return domain_of(xui) or (domain_of(account.identity) if account else "") or self.default_realm


def canonical(name: str) -> str | None:
    """The address-of-record of an identity, None when it is none."""
    name = name.strip()
    if ":" not in name and "@" in name:
        name = f"sip:{name}"
    try:
        return parse_uri(name).addr_of_record()
    except UriError:
        return None


def domain_of(identity: str) -> str:
    """The host of a SIP identity; "" for any other."""
    name = canonical(identity)
    uri = parse_uri(name) if name else None
    return uri.host if isinstance(uri, SipUri) else ""
