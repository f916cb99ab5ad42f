"""Typed header values, one file a header. Each reads its text with a parse function and writes itself with str()."""

from talkburst.sip.headers.auth import AuthHeader, parse_auth
from talkburst.sip.headers.content_type import ContentType, parse_content_type
from talkburst.sip.headers.cseq import CSeq, parse_cseq
from talkburst.sip.headers.event import Event, SubscriptionState, parse_event, parse_subscription_state
from talkburst.sip.headers.grammar import (
    HeaderError,
    is_token,
    parse_delta_seconds,
    parse_params,
    quote,
    split_commas,
    unquote,
)
from talkburst.sip.headers.name_addr import NameAddr, parse_name_addr, parse_name_addrs
from talkburst.sip.headers.names import header_key
from talkburst.sip.headers.via import Via, parse_via
from talkburst.sip.uri_parts import params_text

__all__ = [
    "AuthHeader",
    "CSeq",
    "ContentType",
    "Event",
    "HeaderError",
    "NameAddr",
    "SubscriptionState",
    "Via",
    "header_key",
    "is_token",
    "params_text",
    "parse_auth",
    "parse_content_type",
    "parse_cseq",
    "parse_delta_seconds",
    "parse_event",
    "parse_name_addr",
    "parse_name_addrs",
    "parse_params",
    "parse_subscription_state",
    "parse_via",
    "quote",
    "split_commas",
    "unquote",
]
