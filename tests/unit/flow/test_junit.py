"""Reports as JUnit XML: the shape that pytest writes too, and well-formed whatever packets held."""

import subprocess
import sys
from xml.etree import ElementTree

import pytest

from talkburst.flow.junit import junit


@pytest.fixture
def suites(judge):
    return lambda *recordings: ElementTree.fromstring(junit([judge(each.frames()) for each in recordings]))


def test_a_flow_is_a_testsuite_and_a_step_a_testcase(right, suites):
    root = suites(right)
    (suite,) = root
    assert suite.get("name") == "sip:alice@ims.example, sip:alice@192.0.2.10:5090, Call-ID reg-a"
    assert [root.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["32", "0", "0", "0"]
    assert (suite.get("time"), suite.get("timestamp")) == ("0.370000", "2023-11-14T22:13:20")
    cases = suite.findall("testcase")
    assert [int(case.get("name")[:2]) for case in cases] == list(range(1, 33))
    assert (cases[8].get("name"), cases[8].get("classname")) == ("09 I>S NOTIFY Event: reg", "talkburst.flow")
    assert cases[0].findtext("system-out") == "REGISTER sip:ims.example SIP/2.0"
    found = {each.get("name"): each.get("value") for each in suite.iter("property")}
    assert found["verdict"] == "pass"
    assert found["elapsed_s"] == "0.370000"
    assert "first_failure" not in found


def test_a_failure_says_why_and_the_first_one_is_named(right, suites):
    root = suites(right.without(9))
    failures = {case.get("name")[:2]: case.find("failure") for case in root.iter("testcase")}
    failed = {number: failure for number, failure in failures.items() if failure is not None}
    assert set(failed) == {"09", "10", "11"}
    assert failed["09"].get("type") == "not-reached"
    assert failed["09"].get("message").startswith("NOTIFY Event: reg did not come")
    assert failed["09"].text.startswith("first failure: NOTIFY")
    assert not failed["10"].text.startswith("first failure")
    assert root.find("testsuite").get("failures") == "3"
    assert [each.get("value") for each in root.iter("property") if each.get("name") == "first_failure"] == ["9"]


def test_what_was_not_observed_is_skipped_with_the_reason(right, suites):
    root = suites(right.without(11, None))
    (skipped,) = root.iter("skipped")
    assert skipped.get("message").startswith("not-observed: ")
    assert (root.get("skipped"), root.get("failures")) == ("1", "0")


def test_several_flows_are_several_testsuites(right, suites):
    root = suites(right, right.without(32))
    assert len(root) == 2
    assert [suite.get("failures") for suite in root] == ["0", "1"]
    assert [root.get(name) for name in ("tests", "failures")] == ["64", "1"]


def test_a_step_takes_what_passed_since_its_latest_cause(right, suites):
    (suite,) = suites(right)
    took = {case.get("name")[:2]: float(case.get("time")) for case in suite.iter("testcase")}
    assert took["01"] == 0
    assert took["02"] == pytest.approx(right.step(2).time - right.step(1).time, abs=1e-5)


@pytest.mark.parametrize("odd", ["\x00\x08\x1b", "\ufffe\uffff", "\udc80", "]]>&<\"'"])
def test_it_is_well_formed_whatever_packets_held(right, judge, odd):
    report = judge(right.frames())
    report.identity = report.contact = report.call_id = report.steps[3].message = report.steps[4].why = odd
    report.steps[4].verdict = "fail"
    report.steps[5].notes.append(odd)
    text = junit([report])
    ElementTree.fromstring(text.encode("utf-8"))


def test_pytest_writes_the_same_elements_and_attributes(right, suites, tmp_path):
    (tmp_path / "test_it.py").write_text(
        "import pytest\n"
        "def test_fails(record_testsuite_property):\n    record_testsuite_property('a', 'b')\n    assert 0\n"
        "def test_skips():\n    pytest.skip('why')\n"
        "def test_talks():\n    print('x')\n"
    )
    command = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml=out.xml", "-o", "junit_logging=all", ".")
    subprocess.run([sys.executable, *command], cwd=tmp_path, capture_output=True, check=False, timeout=60)
    theirs = shape(ElementTree.parse(tmp_path / "out.xml").getroot())
    ours = shape(suites(right.without(9, 11)))
    elements = {"testsuites", "testsuite", "properties", "property", "testcase", "failure", "skipped", "system-out"}
    assert set(ours) == elements
    for element, (parents, attributes) in ours.items():
        assert parents <= theirs[element][0], element
        # The totals stand on the root too, as CI servers read them, and a failure has its kind.
        assert attributes - theirs[element][1] <= {"tests", "failures", "errors", "skipped", "time", "type"}, element


def shape(root):
    """Of each element its parents and its attributes."""
    found = {root.tag: (set(), set(root.attrib))}
    for parent in root.iter():
        for child in parent:
            parents, attributes = found.setdefault(child.tag, (set(), set()))
            parents.add(parent.tag)
            attributes |= set(child.attrib)
    return found
