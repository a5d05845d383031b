"""A diagnosis as SARIF 2.1.0, which code hosts show beside the lines.

Code scanning asks for more than the schema: a place in a file of the repository for every result, also where the finding is of
data or of a setting, and a fingerprint that stays when lines are added above.
"""

import hashlib
import json
import linecache
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from art_training import __version__
from art_training.diagnosis.account import unjudged
from art_training.diagnosis.plainly import finite
from art_training.diagnosis.result import Diagnosis
from art_training.records import Finding, plain
from art_training.rules import Rule, rules

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"
_HOME = "https://pypi.org/project/art-training/"
_LEVELS = {"error": "error", "warning": "warning", "info": "note"}
_SEVERITIES = {"error": "error", "warning": "warning", "info": "recommendation"}


def as_sarif(diagnosis: Diagnosis) -> str:
    """A log with one run: every rule, and a result for each finding; symptoms stand with what explains them."""
    known = rules()
    places = {one.code: index for index, one in enumerate(known)}
    driver = {
        "name": "art",
        "version": __version__,
        "informationUri": _HOME,
        "rules": [_described(one) for one in known],
    }
    run = {
        "tool": {"driver": driver},
        "automationDetails": {"id": f"art diagnose/{diagnosis.subject}/"},
        "invocations": [_invocation(diagnosis)],
        "results": [_result(one, places[one.code], diagnosis) for one in diagnosis.findings],
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False)


def _described(rule: Rule) -> dict[str, Any]:
    source = re.search(r"https?://[^\s,;)]+", rule.source)
    text = f"{rule.why}\n\nWrong:\n{rule.wrong}\n\nRight:\n{rule.right}\n\nSource: {rule.source}"
    code = "\n".join(f"{title}:\n\n```python\n{one}\n```\n" for title, one in _examples(rule))
    return {
        "id": rule.code,
        "name": rule.name,
        "shortDescription": {"text": rule.name},
        "fullDescription": {"text": rule.finds},
        "help": {"text": text, "markdown": f"{rule.why}\n\n{code}\nSource: {rule.source}"},
        "helpUri": source[0] if source else _HOME,
        "defaultConfiguration": {"level": _LEVELS[rule.severity.value]},
        "properties": {"tags": [rule.category], "problem.severity": _SEVERITIES[rule.severity.value]},
    }


def _examples(rule: Rule) -> tuple[tuple[str, str], ...]:
    return ("Wrong", rule.wrong), ("Right", rule.right)


def _result(finding: Finding, index: int, diagnosis: Diagnosis) -> dict[str, Any]:
    symptoms = diagnosis.symptoms.get(finding.code, ())
    said = (finding.message, f"Remedy: {finding.remedy}." if finding.remedy else "")
    return {
        "ruleId": finding.code,
        "ruleIndex": index,
        "level": _LEVELS[finding.severity.value],
        "message": {"text": " ".join(filter(None, said))},
        "locations": [_location(finding.where, diagnosis)],
        "partialFingerprints": {"artFinding/v1": _fingerprint(finding, diagnosis)},
        "properties": {
            "category": finding.category,
            "confirmed by": finding.confirmed_by,
            "evidence": finite(plain(finding.evidence)),
            "explains": [f"{one.code}: {one.message}" for one in symptoms],
        },
    }


def _location(where: str, diagnosis: Diagnosis) -> dict[str, Any]:
    """The line that a finding names; else the line where the model is defined, with what it names beside it."""
    place = _line(where)
    known = place or _line(diagnosis.place)
    found: dict[str, Any] = {}
    if known is not None:
        path, line = known
        found["physicalLocation"] = {"artifactLocation": {"uri": _uri(path)}, "region": {"startLine": line}}
    if place is None:
        found["logicalLocations"] = [{"name": where or diagnosis.subject}]
    return found


def _fingerprint(finding: Finding, diagnosis: Diagnosis) -> str:
    """Of what stays when other lines change: the rule, the model, and the line as it reads."""
    where, place = finding.where, _line(finding.where)
    if place is not None:
        linecache.checkcache(str(place[0]))
        where = linecache.getline(str(place[0]), place[1]).strip()
    return hashlib.sha256(f"{finding.code}\n{diagnosis.subject}\n{where}".encode()).hexdigest()[:32]


def _line(where: str) -> tuple[Path, int] | None:
    """The file and line of a place, where it is one."""
    path, _, line = where.rpartition(":")
    if not path or not line.isdigit() or int(line) < 1 or not Path(path).is_file():
        return None
    return Path(path).resolve(), int(line)


def _uri(path: Path) -> str:
    """Relative to the repository, as code hosts want it; absolute where the file lies outside."""
    here = Path.cwd().resolve()
    root = next((one for one in (here, *here.parents) if (one / ".git").exists()), here)
    return quote(path.relative_to(root).as_posix()) if path.is_relative_to(root) else path.as_uri()


def _invocation(diagnosis: Diagnosis) -> Mapping[str, Any]:
    told = [f"{', '.join(codes)} could not judge: {reason}" for reason, codes in unjudged(diagnosis).items()]
    notes = [{"level": "note", "message": {"text": one}} for one in told]
    broken = [{"level": "error", "message": {"text": diagnosis.broken}}] if diagnosis.broken else []
    return {"executionSuccessful": not diagnosis.broken, "toolExecutionNotifications": [*broken, *notes]}
