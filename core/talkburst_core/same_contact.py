"""When two contacts of a user are one (RFC 3261 10.3 step 7 and 19.1.4, RFC 5630 5.1.1.1)."""

from talkburst.sip import SipUri, Uri
from talkburst.sip.sips import as_sip
from talkburst_core.registration_update import Wish


def is_same_contact(one: Uri, other: Uri) -> bool:
    """Whether a contact takes the place of another: SIP and SIPS of one place are one, of which the last counts."""
    if not isinstance(one, SipUri) or not isinstance(other, SipUri):
        return False
    if is_written_the_same(one, other):
        return True
    return one.equivalent(other) if one.scheme == other.scheme else as_sip(one).equivalent(as_sip(other))


def comes_again(wish: Wish, wishes: list[Wish]) -> bool:
    """Whether one REGISTER has a contact more than once."""
    return any(other.contact.uri.equivalent(wish.contact.uri) for other in wishes if other is not wish)


def is_written_the_same(one: Uri, other: Uri) -> bool:
    """Whether two URIs are one text, the order of their parameters included."""
    if one is other:
        return True
    if not isinstance(one, SipUri) or not isinstance(other, SipUri):
        return str(one) == str(other)
    return (
        one.user == other.user
        and one.host == other.host
        and one.port == other.port
        and one.scheme == other.scheme
        and one.password == other.password
        and one.headers == other.headers
        and (not (one.params or other.params) or list(one.params.items()) == list(other.params.items()))
    )
