"""Writes docs/state-machines.md from the tables that the code runs on: `make diagrams`."""

import sys
from collections.abc import Iterable, Mapping
from enum import Enum
from pathlib import Path

from talkburst.sip import publication_steps, subscription_states
from talkburst.sip.timers import UNRELIABLE_ONLY, Timer, Timers
from talkburst.sip.transaction.states import (
    INVITE_CLIENT,
    INVITE_SERVER,
    NON_INVITE_CLIENT,
    NON_INVITE_SERVER,
    Action,
    Machine,
    Signal,
    State,
)
from talkburst.ua import registration_states

PAGE = Path(__file__).parents[2] / "docs" / "state-machines.md"
INTRODUCTION = """\
# State machines

`make diagrams` writes this page from the tables that the code runs on, and a test fails when they differ. Each is to be
read beside the figure of its RFC: the same states, the event over what is done about it. GitHub draws the diagrams.

What a table does not list is an error of ours, and raises; what it ignores is listed under it. The timers of a state
start when it is entered, if they do not run yet, and stop when it is left for one that has not got them.
`tests/unit/sip_transaction/figures` has each row of the four transaction machines, written from the RFCs by hand, with
what is sent, what is told, and when each timer fires next.
"""

# Machine to title, where its figure is, the state before the first, and where the table says more or less.
TRANSACTIONS: Mapping[Machine, tuple[str, str, str, str]] = {
    INVITE_CLIENT: (
        "INVITE client transaction",
        "RFC 6026 8.4, figure 5 (which replaces figure 5 of RFC 3261 17.1.1)",
        "INVITE from the user / send INVITE",
        "Timer B runs in Proceeding once a CANCEL was sent (RFC 3261 9.1), which the figure does not draw. A transport "
        "error in Completed is told to nobody: the user was promised one outcome, and has it.",
    ),
    NON_INVITE_CLIENT: (
        "Non-INVITE client transaction",
        "RFC 3261 17.1.2, figure 6",
        "request from the user / send request",
        "",
    ),
    INVITE_SERVER: (
        "INVITE server transaction",
        "RFC 6026 8.6, figure 7 (which replaces figure 7 of RFC 3261 17.2.1)",
        "INVITE / hand it to the user",
        "A transport error changes nothing, as in the figure; it is told to nobody.",
    ),
    NON_INVITE_SERVER: (
        "Non-INVITE server transaction",
        "RFC 3261 17.2.2, figure 8, with the late 100 of RFC 4320 4.1",
        "request / hand it to the user",
        "A transport error changes nothing, where the figure ends the transaction: a request that comes again then "
        "finds the stored answer. What the user never answers is abandoned when the client has given up.",
    ),
}
CLIENTS = (INVITE_CLIENT, NON_INVITE_CLIENT)
RECEIVED = {Signal.PROVISIONAL: "1xx", Signal.SUCCESS: "2xx", Signal.REJECTION: "3xx-6xx"}
HAPPENS = {Signal.REQUEST: "request again", Signal.ACK: "ACK", Signal.TRANSPORT_ERROR: "transport error"}
UNNAMED = {
    Timer.INVITE_TRYING: "no response in 0.2 s",
    Timer.TRYING: "no response when Timer E of the client is T2",
    Timer.ABANDON: "no answer in 64*T1",
}
DOES = {
    Action.DELIVER: "tell the user",
    Action.SEND_ACK: "send ACK",
    Action.RESEND: "send again",
    Action.REPORT_TIMEOUT: "tell timeout",
    Action.REPORT_TRANSPORT: "tell transport error",
    Action.SEND: "send response",
    Action.SEND_TRYING: "send 100",
    Action.PASS_ACK: "hand ACK to the user",
}
Edge = tuple[str, str, str]  # from, to, label


def page() -> str:
    parts = [INTRODUCTION]
    parts += [transaction(machine) for machine in TRANSACTIONS]
    parts += [timers(), subscription(), registration(), publication()]
    return "\n".join(parts)


def transaction(machine: Machine) -> str:
    title, figure, start, note = TRANSACTIONS[machine]
    rows = [
        (name(state), event_of(machine, event), name(target), did(actions))
        for state, event, target, actions in _all(machine)
    ]
    edges = [("[*]", machine.initial.name, start)]
    edges += [
        (state.name, target.name, " / ".join(filter(None, (event_of(machine, event), did(actions)))))
        for state, event, target, actions in _all(machine)
    ]
    ignored = [
        (name(state), ", ".join(sorted(event_of(machine, event) for event in events)))
        for state, events in machine.ignored.items()
        if events and state is not State.TERMINATED
    ]
    running = [
        (name(state), ", ".join(_timer(each) for each in found)) for state, found in machine.timers.items() if found
    ]
    return "\n".join(
        [
            f"## {title}\n\n{figure}. {note}".rstrip() + "\n",
            diagram(edges, {state.name: name(state) for state in machine.table}, State.TERMINATED.name),
            table(("state", "event", "next state", "what is done"), rows),
            table(("state", "timers that run"), running),
            table(("state", "ignores"), ignored),
        ]
    )


def _all(machine: Machine) -> Iterable[tuple[State, Signal | Timer, State, tuple[Action, ...]]]:
    for state, row in machine.table.items():
        for event, (target, actions) in row.items():
            yield state, event, target, actions


def event_of(machine: Machine, event: Signal | Timer) -> str:
    if isinstance(event, Timer):
        return _timer(event)
    if event in HAPPENS:
        return HAPPENS[event]
    return RECEIVED[event] if machine in CLIENTS else f"{RECEIVED[event]} from the user"


def did(actions: tuple[Action, ...]) -> str:
    return ", ".join(DOES[action] for action in actions)


def _timer(timer: Timer) -> str:
    return UNNAMED.get(timer, f"Timer {timer.name}")


def name(state: Enum) -> str:
    return state.name.replace("_", " ").capitalize()


def timers() -> str:
    rows = []
    for timer in Timer:
        udp = f"{Timers().duration(timer):g} s"
        repeated = timer in UNRELIABLE_ONLY
        tcp = "does not run" if repeated else f"{Timers().duration(timer, reliable=True):g} s"
        rows.append((_timer(timer), udp + (", then longer" if repeated else ""), tcp if tcp != udp else "the same"))
    return "\n".join(
        [
            "## Timers\n\nRFC 3261 table 4 and 16.6 (C), RFC 6026 8.7 (L, M), RFC 6665 4.1.2.4 (N), with T1 0.5 s, "
            "T2 4 s and T4 5 s. A doubles; E and G double up to T2; E is T2 once a 1xx came.\n",
            table(("timer", "unreliable transport", "reliable transport"), rows),
        ]
    )


def subscription() -> str:
    moves = subscription_states.TRANSITIONS
    return _plain(
        "Subscription, at its subscriber",
        "RFC 6665 4.1.2, figure 1; poc/talkburst/sip/subscription_states.py says where the table says more or less.",
        [(state, happening.name.replace("_", " ").lower(), target) for (state, happening), target in moves.items()],
        {state: name(state) for state in subscription_states.State},
        subscription_states.State.INIT,
        (subscription_states.State.TERMINATED,),
    )


def registration() -> str:
    moves = registration_states.TRANSITIONS
    ignored: dict[str, list[str]] = {}
    for state, happening in sorted(registration_states.IGNORED, key=lambda each: (each[0].value, each[1].name)):
        ignored.setdefault(state.value, []).append(happening.name.lower())
    drawn = _plain(
        "Registration, at its client",
        "RFC 3261 10.2 has no figure of it.",
        [(state, happening.name.lower(), target) for (state, happening), target in moves.items()],
        {state: state.value for state in registration_states.State},
        registration_states.State.IDLE,
        (registration_states.State.LEFT,),
    )
    return "\n".join(
        [drawn, table(("state", "ignores"), [(state, ", ".join(each)) for state, each in ignored.items()])]
    )


def publication() -> str:
    answers = list(publication_steps.Answer)
    rows = [
        (operation.name.lower(), *(_step(publication_steps.STEPS[operation][answer]) for answer in answers))
        for operation in publication_steps.Operation
    ]
    return "\n".join(
        [
            "## Publication, at its publisher\n\nRFC 3903 has no figure; the operations are those of its table 1. What "
            "is done about each answer:\n",
            table(("operation", *(_step(answer) for answer in answers)), rows),
        ]
    )


def _step(step: Enum) -> str:
    return step.name.replace("_", " ").lower()


def _plain(
    title: str,
    figure: str,
    moves: list[tuple[Enum, str, Enum]],
    names: Mapping[Enum, str],
    first: Enum,
    last: tuple[Enum, ...],
) -> str:
    edges = [("[*]", first.name, "")] + [(state.name, target.name, event) for state, event, target in moves]
    return "\n".join(
        [
            f"## {title}\n\n{figure}\n",
            diagram(edges, {state.name: shown for state, shown in names.items()}, *(state.name for state in last)),
            table(
                ("state", "event", "next state"),
                [(names[state], event, names[target]) for state, event, target in moves],
            ),
        ]
    )


def diagram(edges: list[Edge], names: Mapping[str, str], *last: str) -> str:
    """A Mermaid state diagram; what leads from one state to another stands on one arrow."""
    labels: dict[tuple[str, str], list[str]] = {}
    for source, target, label in edges:
        labels.setdefault((source, target), []).append(label)
    lines = ["```mermaid", "stateDiagram-v2"]
    lines += [f'    state "{shown}" as {state}' for state, shown in names.items()]
    for (source, target), several in labels.items():
        text = "<br/>".join(filter(None, several))
        lines.append(f"    {source} --> {target}" + (f": {text}" if text else ""))
    lines += [f"    {state} --> [*]" for state in last]
    return "\n".join([*lines, "```", ""])


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [
        " | ".join(head),
        "|".join("---" for _ in head),
        *(" | ".join(cell or " " for cell in row) for row in rows),
    ]
    return "\n".join([*(f"|{line}|" if set(line) == {"-", "|"} else f"| {line} |" for line in lines), ""])


if __name__ == "__main__":
    Path(sys.argv[1] if len(sys.argv) > 1 else PAGE).write_text(page())
