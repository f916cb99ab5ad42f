"""The SIP stack: sans-IO, standard library only. This package re-exports its message layer."""

from talkburst.sip.defects import Defect
from talkburst.sip.framer import KeepAlive, StreamFramer, StreamLimits
from talkburst.sip.headers import (
    AuthHeader,
    ContentType,
    CSeq,
    Event,
    HeaderError,
    NameAddr,
    SubscriptionState,
    Via,
    parse_auth,
    parse_name_addr,
    parse_name_addrs,
    parse_via,
    split_commas,
)
from talkburst.sip.message import REASONS, Message, Request, Response, response_to
from talkburst.sip.parser import Malformed, is_keepalive, parse_message
from talkburst.sip.uri import OtherUri, SipUri, TelUri, Uri, UriError, parse_uri
from talkburst.sip.uri_parts import Params

__all__ = [
    "REASONS",
    "AuthHeader",
    "CSeq",
    "ContentType",
    "Defect",
    "Event",
    "HeaderError",
    "KeepAlive",
    "Malformed",
    "Message",
    "NameAddr",
    "OtherUri",
    "Params",
    "Request",
    "Response",
    "SipUri",
    "StreamFramer",
    "StreamLimits",
    "SubscriptionState",
    "TelUri",
    "Uri",
    "UriError",
    "Via",
    "is_keepalive",
    "parse_auth",
    "parse_message",
    "parse_name_addr",
    "parse_name_addrs",
    "parse_uri",
    "parse_via",
    "response_to",
    "split_commas",
]
