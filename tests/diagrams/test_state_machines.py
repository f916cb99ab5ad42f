"""The page of state machines is what the tables say, all of it."""

import re

import pytest

from state_machines import PAGE, TRANSACTIONS, diagram, page, table
from talkburst.sip import publication_steps, subscription_states
from talkburst.sip.timers import Timer
from talkburst.sip.transaction.states import Machine
from talkburst.ua import registration_states


def test_the_page_is_what_the_tables_generate() -> None:
    assert PAGE.read_text() == page(), "`make diagrams` writes it"


@pytest.mark.parametrize("machine", TRANSACTIONS, ids=lambda machine: machine.name)
def test_every_transition_of_a_machine_is_a_row_of_its_table_and_on_an_arrow(machine: Machine) -> None:
    title, figure, *_ = TRANSACTIONS[machine]
    part = page().partition(f"## {title}\n")[2].partition("\n## ")[0]
    assert re.search(r"RFC \d+ [\d.]+, figure \d", figure)
    transitions = [(state, event, target) for state, row in machine.table.items() for event, (target, _) in row.items()]
    rows = part.partition("| state | event |")[2].partition("\n\n")[0].splitlines()[2:]
    assert len(rows) == len(transitions)
    for state, _, target in transitions:
        assert f"    {state.name} --> {target.name}: " in part
    assert part.count(" --> ") == len({(state, target) for state, _, target in transitions}) + 2
    for state in machine.table:
        assert f'" as {state.name}\n' in part


def test_the_page_has_every_timer_and_every_row_of_the_other_tables() -> None:
    timers, _, others = page().partition("## Timers")[2].partition("## Subscription")
    assert timers.count("\n| ") == len(Timer) + 1
    rows = [line for line in others.splitlines() if line.startswith("| ")]
    states = len(subscription_states.TRANSITIONS) + len(registration_states.TRANSITIONS)
    heads, ignoring = 4, len({state for state, _ in registration_states.IGNORED})
    assert len(rows) == states + len(publication_steps.STEPS) + heads + ignoring


def test_a_diagram_puts_what_leads_from_state_to_state_on_one_arrow() -> None:
    drawn = diagram([("[*]", "A", ""), ("A", "B", "x / y"), ("A", "B", "z")], {"A": "a", "B": "b b"}, "B")
    assert drawn == (
        "```mermaid\n"
        "stateDiagram-v2\n"
        '    state "a" as A\n'
        '    state "b b" as B\n'
        "    [*] --> A\n"
        "    A --> B: x / y<br/>z\n"
        "    B --> [*]\n"
        "```\n"
    )


def test_a_table_is_one_that_markdown_reads() -> None:
    assert table(("a", "b"), [("1", ""), ("2", "3")]) == "| a | b |\n|---|---|\n| 1 |   |\n| 2 | 3 |\n"


def test_no_label_has_what_ends_it() -> None:
    """A colon or a semicolon ends a label of Mermaid's."""
    for line in page().splitlines():
        if " --> " in line:
            assert not set(line.partition(": ")[2]) & set(':;#"'), line
