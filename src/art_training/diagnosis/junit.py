"""A diagnosis as JUnit's XML, as CI services show it: a test case a rule."""

import re
from collections.abc import Iterable
from xml.etree import ElementTree as ET

from art_training.diagnosis.result import Diagnosis, Judged
from art_training.records import Finding, Severity

# What XML 1.0 cannot hold, even escaped: https://www.w3.org/TR/xml/#charsets
_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SKIPPED = {"not judged": "could not judge", "not applicable": "does not apply", "ignored": "ignored"}


def as_junit(diagnosis: Diagnosis) -> str:
    """One suite; a rule that found an error or a warning fails, and one that says nothing of this setup is skipped."""
    found: dict[str, list[Finding]] = {}
    for one in (*diagnosis.findings, *(each for many in diagnosis.symptoms.values() for each in many)):
        found.setdefault(one.code, []).append(one)
    suite = ET.Element("testsuite", name=_text(f"art diagnose {diagnosis.subject}"))
    for one in diagnosis.judged:
        _case(suite, one, found.get(one.code, ()))
    if diagnosis.broken:
        case = ET.SubElement(suite, "testcase", classname="art.stages", name="the setup can be gone through")
        ET.SubElement(case, "error", message=_text(diagnosis.broken), type="raised")
    for name, path in (
        ("tests", "testcase"),
        ("failures", "testcase/failure"),
        ("errors", "testcase/error"),
        ("skipped", "testcase/skipped"),
    ):
        suite.set(name, str(len(suite.findall(path))))
    suite.set("time", f"{sum(diagnosis.stages.values()):.3f}")
    return ET.tostring(suite, encoding="unicode", xml_declaration=True)


def _case(suite: ET.Element, judged: Judged, findings: Iterable[Finding]) -> None:
    case = ET.SubElement(
        suite, "testcase", classname=f"art.{judged.code[:4]}xx", name=_text(f"{judged.code} {judged.name}")
    )
    serious = [one for one in findings if one.severity is not Severity.INFO]
    minor = [one for one in findings if one.severity is Severity.INFO]
    if serious:
        worst = serious[0]
        failure = ET.SubElement(case, "failure", message=_text(worst.message), type=worst.severity.value)
        failure.text = _text("\n\n".join(map(_told, serious)))
    elif judged.state in _SKIPPED:
        message = ": ".join(filter(None, (_SKIPPED[judged.state], judged.reason)))
        ET.SubElement(case, "skipped", message=_text(message))
    if minor:
        ET.SubElement(case, "system-out").text = _text("\n\n".join(map(_told, minor)))


def _told(finding: Finding) -> str:
    parts = (finding.message, finding.where, finding.confirmed_by, finding.remedy)
    return "\n".join(filter(None, parts))


def _text(text: str) -> str:
    return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", text)
