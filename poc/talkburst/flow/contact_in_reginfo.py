"""The contact of step 3 as registration information shows it."""

from talkburst.flow.flows import Flow
from talkburst.flow.message import address_of_record
from talkburst.flow.registration import TAG, place_of_uri
from talkburst.xml.reginfo import Contact, Reginfo, has_tag


def shows(contact: Contact, flow: Flow) -> bool:
    """Whether a contact is that of the client's REGISTER. Where its hop is not captured, any contact may be."""
    if flow.contact is None:
        return True
    instance = (contact.param("+sip.instance") or "").strip("<>")
    if instance and flow.instance:
        return instance == flow.instance
    return place_of_uri(contact.uri) == place_of_uri(str(flow.contact.uri)) or contact.callid in flow.call_ids


def tagged_addresses(document: Reginfo, flow: Flow) -> list[str]:
    """The addresses-of-record under which the contact of step 3 is active and has the tag: the PoC Addresses."""
    return [
        address_of_record(registration.aor)
        for registration in document.registrations
        if registration.state == "active"
        and any(
            contact.state == "active" and shows(contact, flow) and has_tag(contact, TAG)
            for contact in registration.contacts
        )
    ]


def missing(document: Reginfo, flow: Flow) -> str:
    """What a document lacks to tell of the contact of step 3 with its tag, "" when it tells."""
    if tagged_addresses(document, flow):
        return ""
    contacts = [contact for registration in document.registrations for contact in registration.contacts]
    shown = [contact for contact in contacts if shows(contact, flow)]
    if not contacts:
        return "lists no contact at all"
    if not shown:
        return f"does not list the contact of step 3; it lists {', '.join(sorted({c.uri for c in contacts}))}"
    if not any(contact.state == "active" for contact in shown):
        return "lists the contact of step 3 as terminated"
    if not any(has_tag(contact, TAG) for contact in shown):
        names = sorted({name for contact in shown for name in contact.unknown_params})
        return f"lists the contact of step 3 without {TAG} (its parameters: {', '.join(names) or 'none'})"
    return "lists the contact of step 3 under a registration that is not active"
