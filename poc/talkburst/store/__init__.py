"""What a daemon must not lose: ports, and the engines behind them (memory, SQLite)."""

from talkburst.store.documents import Claim, Document, DocumentInfo, DocumentKey, DocumentStore, Outcome, PutResult
from talkburst.store.group_commit import GroupCommit, StoreError
from talkburst.store.memory import MemoryDocuments
from talkburst.store.sqlite import SqliteDocuments

__all__ = [
    "Claim",
    "Document",
    "DocumentInfo",
    "DocumentKey",
    "DocumentStore",
    "GroupCommit",
    "MemoryDocuments",
    "Outcome",
    "PutResult",
    "SqliteDocuments",
    "StoreError",
]
