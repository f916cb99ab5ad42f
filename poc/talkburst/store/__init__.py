"""What a daemon must not lose: ports, and the engines behind them (memory, SQLite)."""

from talkburst.store.documents import Claim, Document, DocumentInfo, DocumentKey, DocumentStore, Outcome, PutResult
from talkburst.store.group_commit import GroupCommit
from talkburst.store.lock import InUseError, StateLock, StoreError
from talkburst.store.memory import MemoryDocuments
from talkburst.store.sqlite import SqliteDocuments
from talkburst.store.state import Change, Journal, MemoryState, SqliteState, StateStore

__all__ = [
    "Change",
    "Claim",
    "Document",
    "DocumentInfo",
    "DocumentKey",
    "DocumentStore",
    "GroupCommit",
    "InUseError",
    "Journal",
    "MemoryDocuments",
    "MemoryState",
    "Outcome",
    "PutResult",
    "SqliteDocuments",
    "SqliteState",
    "StateLock",
    "StateStore",
    "StoreError",
]
