"""The how-to of the SIPp scenarios: nothing in it that no test runs, nothing beside it that it does not mention."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from sipp_how_to import HOW_TO, ROOT, SCENARIOS, commands

TESTS = "".join(file.read_text() for file in Path(__file__).parent.glob("test_sipp_*.py"))


@pytest.mark.parametrize("heading", commands())
def test_command_is_run_by_a_test(heading: str) -> None:
    assert f'"{heading}"' in TESTS or f'f"{re.sub("UDP|TCP", "{transport}", heading)}"' in TESTS


@pytest.mark.parametrize("file", sorted(file.name for file in SCENARIOS.glob("*.*") if file != HOW_TO))
def test_file_is_mentioned(file: str) -> None:
    assert file in HOW_TO.read_text()


@pytest.mark.parametrize("scenario", sorted(SCENARIOS.glob("*.xml")), ids=lambda path: path.name)
def test_scenario_is_well_formed_xml(scenario: Path) -> None:
    """SIPp's own parser does not mind what an editor or xmllint does."""
    assert ElementTree.parse(scenario).getroot().tag == "scenario"


@pytest.mark.parametrize("heading", ["A client over UDP", "A callee who answers", "A caller"])
def test_readme_prints_the_same_command(heading: str) -> None:
    """README.md shows some of them; they shall not differ from those that are run."""
    assert commands()[heading] in (ROOT / "README.md").read_text().replace("\\\n", " ")
