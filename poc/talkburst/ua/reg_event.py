"""What the reg event tells the client about itself: its PoC Address, and whether the network still has its contact.

A device without an ISIM registers a temporary, barred identity and learns its PoC Address only here.
"""

from collections.abc import Iterable
from typing import Final

from talkburst.sip.headers import NameAddr
from talkburst.sip.uri import SipUri, UriError, parse_uri
from talkburst.ua.account import TAG
from talkburst.xml.reginfo import Contact, Reginfo, ReginfoTable, has_tag

# RFC 3680 5.1: after these ends of a contact the user agent may register anew; after "rejected" it may not.
REJECTED: Final = "rejected"


class OwnRegistration:
    """This device in the reg event: the contact with our instance id, else the one with our URI."""

    def __init__(self, instance: str, contact: SipUri) -> None:
        self._instance = instance
        self._contact = contact
        self._table = ReginfoTable()
        self.ended: str | None = None
        """The event with which the network ended our contact in the last document, None when it did not."""

    def restart(self) -> None:
        """Another subscription begins, and with it the count of its documents (RFC 3680 5.1)."""
        self._table = ReginfoTable()
        self.ended = None

    def apply(self, document: Reginfo) -> bool:
        """Take one document in; True when a refresh is needed (RFC 3680 5.2)."""
        discarded = self._table.discarded
        refresh = self._table.apply(document)
        self.ended = None
        if self._table.discarded == discarded and not self._is_bound():
            events = [
                contact.event
                for registration in document.registrations
                for contact in registration.contacts
                if contact.state == "terminated" and self._is_ours(contact)
            ]
            self.ended = events[0] if events else None
        return refresh

    def poc_address(self, associated: Iterable[NameAddr]) -> str | None:
        """The first associated identity whose registration shows our contact with the PoC tag; None when none does.

        A network that sends no P-Associated-URI leaves the order of the document.
        """
        tagged = [
            registration.aor
            for registration in self._table.registrations
            if registration.state == "active"
            and any(self._is_ours(contact) and has_tag(contact, TAG) for contact in registration.contacts)
        ]
        canonical = {found: aor for aor in tagged if (found := _canonical(aor)) is not None}
        for identity in associated:
            if identity.uri.addr_of_record() in canonical:
                return str(identity.uri)
        return next(iter(canonical.values()), None)

    def _is_bound(self) -> bool:
        return any(self._is_ours(contact) for each in self._table.registrations for contact in each.contacts)

    def _is_ours(self, contact: Contact) -> bool:
        instance = contact.param("+sip.instance")
        if instance:
            return instance.strip("<>") == self._instance
        try:
            return parse_uri(contact.uri).equivalent(self._contact)
        except UriError:
            return False


def _canonical(aor: str) -> str | None:
    """The form in which addresses are compared; None for what is no URI."""
    try:
        return parse_uri(aor).addr_of_record()
    except UriError:
        return None
