"""One round of `make bench` in one interpreter: CPU microseconds of each operation, as JSON on standard output.

python bench/message_round.py talkburst sipmessage
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from time import process_time

from message_readers import READERS, Reader, plain
from message_texts import MESSAGES

OPERATIONS = ("parse", "hot", "serialise")
ENOUGH = 0.03  # seconds of CPU a figure rests on


def main() -> None:
    readers = [READERS[name]() for name in sys.argv[1:]]
    for kind, data in MESSAGES.items():
        alike(readers, kind, data)
    figures = {}
    for kind, data in MESSAGES.items():
        for operation in OPERATIONS:
            for reader in readers:
                figures[f"{reader.name} {kind} {operation}"] = cost(work(reader, operation, data))
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


def work(reader: Reader, operation: str, data: bytes) -> Callable[[], object]:
    """`hot` includes the parsing: what was parsed once must not be read twice."""
    parse, hot, serialise = reader.parse, reader.hot, reader.serialise
    if operation == "parse":
        return lambda: parse(data)
    if operation == "hot":
        return lambda: hot(parse(data))
    message = parse(data)
    hot(message)
    return lambda: serialise(message)


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
