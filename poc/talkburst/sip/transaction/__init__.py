"""Transactions (RFC 3261 17): what repeats requests and responses until the other side has heard them."""

from talkburst.sip.transaction.client import ClientTransaction, Failure, ResponseHandler
from talkburst.sip.transaction.key import ClientKey, ServerKey
from talkburst.sip.transaction.server import ServerTransaction
from talkburst.sip.transaction.states import State

__all__ = ["ClientKey", "ClientTransaction", "Failure", "ResponseHandler", "ServerKey", "ServerTransaction", "State"]
