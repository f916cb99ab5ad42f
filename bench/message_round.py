"""One round of `make bench` in one interpreter: CPU microseconds of each operation, as JSON on standard output.

python bench/message_round.py talkburst sipmessage
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from itertools import cycle
from time import process_time

from message_readers import READERS, Reader, plain
from message_texts import MESSAGES, from_users

OPERATIONS = ("parse", "hot", "serialise")
ENOUGH = 0.03  # seconds of CPU a figure rests on


def main() -> None:
    users, readers = int(sys.argv[1]), [READERS[name]() for name in sys.argv[2:]]
    messages = {kind: from_users(kind, users) for kind in MESSAGES}
    for kind, texts in messages.items():
        for data in texts[:: max(1, users // 10)]:
            alike(readers, kind, data)
    figures = {}
    for kind, texts in messages.items():
        for operation in OPERATIONS:
            for reader in readers:
                figures[f"{reader.name} {kind} {operation}"] = cost(work(reader, operation, texts))
    json.dump({"versions": {reader.name: reader.version for reader in readers}, "figures": figures}, sys.stdout)


def alike(readers: list[Reader], kind: str, data: bytes) -> None:
    """Ends the bench when one reader makes something else of a message than the first one does, or less."""
    told = [plain(reader.hot(reader.parse(data))) for reader in readers]
    for reader, leaves in zip(readers, told, strict=True):
        for ours, theirs in zip(told[0], leaves, strict=True):
            if ours != theirs:
                sys.exit(f"{reader.name} reads {theirs} in the {kind} where {readers[0].name} reads {ours}")
        written = plain(reader.hot(reader.parse(reader.serialise(reader.parse(data)))))
        if written != leaves:
            sys.exit(f"{reader.name} does not write the {kind} that it read")


def work(reader: Reader, operation: str, texts: list[bytes]) -> Callable[[], object]:
    """`hot` includes the parsing: what was parsed once must not be read twice."""
    parse, hot, serialise = reader.parse, reader.hot, reader.serialise
    following = cycle(texts).__next__
    if operation == "parse":
        return lambda: parse(following())
    if operation == "hot":
        return lambda: hot(parse(following()))
    messages = [parse(data) for data in texts[:200]]
    for message in messages:
        hot(message)
    read = cycle(messages).__next__
    return lambda: serialise(read())


def cost(call: Callable[[], object]) -> float:
    """CPU microseconds of one call."""
    calls = 20
    while True:
        begun = process_time()
        for _ in range(calls):
            call()
        taken = process_time() - begun
        if taken >= ENOUGH:
            return taken / calls * 1e6
        calls *= 2


if __name__ == "__main__":
    main()
