"""What other programs read: SARIF by its schema and by what code hosts ask for, JUnit by a parser."""

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from sarif_pydantic import Sarif

from art_training.diagnosis import Diagnosis, Judged
from art_training.diagnosis.formats import FORMATS
from art_training.diagnosis.junit import as_junit
from art_training.diagnosis.sarif import as_sarif
from art_training.records import Finding, Severity
from art_training.rules import rules

# What is written of SARIF 2.1.0, written down anew: it leaves out what is never written, and asks for what code hosts want beyond
# the schema that OASIS publishes, which is no part of this repository nor of any package that tests could depend on. That
# objects and properties are the standard's own is asked of a reader that others wrote.
SCHEMA = json.loads((Path(__file__).parent / "sarif_schema.json").read_text())
STATES = ("passed", "not judged", "not applicable", "ignored")


def finding(code="ART402", severity=Severity.ERROR, **fields):
    values = {
        "message": "what enters cross_entropy are probabilities",
        "evidence": {"classes": 10, "loss": float("nan")},
    }
    return Finding(code=code, category="loss", severity=severity, **{**values, **fields})


def diagnosis(*findings, broken="", place="", symptoms=None):
    found = {one.code for one in (*findings, *(each for many in (symptoms or {}).values() for each in many))}
    judged = [
        Judged(one.code, one.name, "finding" if one.code in found else STATES[index % 4], f"reason {index % 4}")
        for index, one in enumerate(rules())
    ]
    return Diagnosis("Net", findings, symptoms or {}, tuple(judged), {"train": 1.25}, broken, place)


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A folder inside of a repository, with a file in it."""
    (tmp_path / ".git").mkdir()
    folder = tmp_path / "my project"
    folder.mkdir()
    (folder / "net.py").write_text("import torch\n\nclass Net:\n    pass\n")
    monkeypatch.chdir(folder)
    return tmp_path


def valid(text):
    log = json.loads(text)
    jsonschema.Draft202012Validator(SCHEMA).validate(log)
    (run,) = log["runs"]
    return run


def unknown(node):
    """Properties that the public reader does not know of the objects that it made."""
    if isinstance(node, BaseModel):
        yield from (f"{type(node).__name__}.{name}" for name in node.model_extra or ())
        for name in type(node).model_fields:
            yield from unknown(getattr(node, name))
    elif isinstance(node, list):
        for one in node:
            yield from unknown(one)


def test_a_log_is_valid_by_the_schema_whatever_was_found(repository):
    place = str(repository / "my project" / "net.py") + ":3"
    for made in (
        diagnosis(),
        diagnosis(
            finding(where=place, remedy="remove it", confirmed_by="tried"),
            finding("ART150", Severity.INFO, where="train: rows 1, 2"),
        ),
        diagnosis(finding(), broken="no training could begin: ValueError: no", place=place),
        diagnosis(finding(), symptoms={"ART402": (finding("ART405", Severity.INFO),)}),
    ):
        text = as_sarif(made)
        run = valid(text)
        for result in run["results"]:
            assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        # The standard has these notifications (3.20.21); the reader has not heard of them.
        assert set(unknown(Sarif.model_validate_json(text))) == {"Invocation.toolExecutionNotifications"}


def test_a_place_is_relative_to_the_repository_and_what_has_none_is_told_at_the_model(repository):
    place = str(repository / "my project" / "net.py") + ":3"
    by_line, by_name = valid(
        as_sarif(diagnosis(finding(where=place), finding("ART150", where="train: rows 1, 2"), place=place))
    )["results"]
    for result in (by_line, by_name):
        physical = result["locations"][0]["physicalLocation"]
        assert physical["artifactLocation"]["uri"] == "my%20project/net.py"
        assert physical["region"]["startLine"] == 3
    assert by_name["locations"][0]["logicalLocations"] == [{"name": "train: rows 1, 2"}]


def test_a_fingerprint_outlives_lines_that_are_added_above(repository):
    path = repository / "my project" / "net.py"

    def printed(line, code="ART402"):
        (result,) = valid(as_sarif(diagnosis(finding(code, where=f"{path}:{line}"))))["results"]
        return result["partialFingerprints"]

    before = printed(3)
    path.write_text("import torch\nimport numpy\n\n\nclass Net:\n    pass\n")
    assert printed(5) == before
    assert printed(5, "ART410") != before
    assert printed(6) != before


def test_severities_are_levels_and_every_rule_has_help(repository):
    run = valid(
        as_sarif(
            diagnosis(
                *(finding(code, kind) for code, kind in zip(("ART402", "ART410", "ART412"), Severity, strict=True))
            )
        )
    )
    assert [one["level"] for one in run["results"]] == [
        {"error": "error", "warning": "warning", "info": "note"}[one.value] for one in Severity
    ]
    for one in run["tool"]["driver"]["rules"]:
        assert one["help"]["text"]
        assert one["helpUri"].startswith("http"), one["id"]
    assert run["tool"]["driver"]["version"]
    assert run["tool"]["driver"]["informationUri"].startswith("https://")


def suite_of(made):
    """By the rules of the schema that Jenkins and GitLab read JUnit's reports with."""
    suite = ET.fromstring(as_junit(made))
    assert suite.tag == "testsuite"
    assert set(suite.attrib) <= {
        "name",
        "tests",
        "failures",
        "errors",
        "skipped",
        "time",
        "timestamp",
        "hostname",
        "id",
        "package",
    }
    cases = list(suite)
    assert {one.tag for one in cases} <= {"testcase"}
    for case in cases:
        assert case.attrib["name"]
        assert case.attrib["classname"]
        assert [one.tag for one in case].count("failure") + [one.tag for one in case].count("skipped") <= 1
        for child in case:
            assert child.tag in {"skipped", "error", "failure", "system-out", "system-err"}
            assert set(child.attrib) <= {"message", "type"}
    assert int(suite.attrib["tests"]) == len(cases)
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(suite.attrib[name]) == len(suite.findall(f"testcase/{tag}"))
    assert float(suite.attrib["time"]) >= 0
    return suite


def test_a_test_case_a_rule_fails_where_it_found_an_error_or_a_warning():
    suite = suite_of(
        diagnosis(
            finding(), finding("ART150", Severity.INFO), symptoms={"ART402": (finding("ART405", Severity.WARNING),)}
        )
    )
    failed = [one.attrib["name"][:6] for one in suite if one.find("failure") is not None]
    assert failed == ["ART402", "ART405"]
    (said,) = [one.findtext("system-out") for one in suite if one.find("system-out") is not None]
    assert "probabilities" in said
    assert suite.attrib["errors"] == "0"
    assert suite_of(diagnosis(broken="no training could begin: it raised")).attrib["errors"] == "1"


def test_several_findings_of_one_rule_are_one_case_with_the_worst_as_its_message():
    made = diagnosis(finding(message="the worst"), finding(message="another", severity=Severity.WARNING))
    (case,) = [one for one in suite_of(made) if one.find("failure") is not None]
    assert case.find("failure").attrib == {"message": "the worst", "type": "error"}
    assert "another" in case.findtext("failure")


@settings(max_examples=15, deadline=None)  # a log describes all rules
@given(st.text(), st.text())
def test_whatever_a_message_holds_every_format_can_be_read(message, where):
    made = diagnosis(finding(message=message, where=where.replace("\0", ""), remedy=message), broken=message)
    json.loads(FORMATS["json"](made))
    valid(as_sarif(made))
    suite_of(made)
    assert FORMATS["text"](made)
    assert FORMATS["html"](made).endswith("</html>\n")


def test_numbers_in_the_summary_are_those_of_the_rules():
    made = diagnosis(finding(), finding("ART150", Severity.INFO))
    states = [one.state for one in made.judged]
    told = FORMATS["text"](made).splitlines()[1]
    assert told == (
        f"1 error, 1 info, {states.count('passed')} rules passed, {states.count('not judged')} could not judge, "
        f"{states.count('not applicable')} not applicable, {states.count('ignored')} ignored, 1.2 s"
    )
    counted = json.loads(FORMATS["json"](made))["rules"]
    assert [one["state"] for one in counted] == states


def test_what_does_not_apply_does_not_make_a_diagnosis_inconclusive():
    errors = [
        Judged(str(index), "", state, matters=True) for index, state in enumerate(["passed", "passed", "not judged"])
    ]
    aside = [Judged(str(index), "", "not applicable", matters=True) for index in range(3, 30)]
    assert Diagnosis("Net", judged=(*errors, *aside)).status == "healthy"
    unjudged = tuple(replace(one, state="not judged") for one in errors[1:])
    assert (
        Diagnosis("Net", judged=(errors[0], *unjudged, *aside)).inconclusive
        == "2 of the 3 rules that find errors could not judge"
    )
