"""Twenty symptoms of one cause are one finding: causes in order, and beneath each what it explains."""

from collections.abc import Iterable, Mapping

from art_training.records import Finding, Severity

WORST_FIRST = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}


def ranked(
    findings: Iterable[Finding], explains: Mapping[str, frozenset[str]]
) -> tuple[tuple[Finding, ...], dict[str, tuple[Finding, ...]]]:
    """Causes, the worst first, and the symptoms of each by its code.

    A symptom explains nothing itself, and nothing explains what is worse than it; so every finding is told, once.

    Args:
        findings: of all rules.
        explains: codes of findings that a finding explains, by its code.
    """
    order = sorted(findings, key=lambda one: (WORST_FIRST[one.severity], not one.confirmed_by, one.code))
    explained: dict[str, str] = {}  # the cause of a symptom, by code
    for cause in order:
        if cause.code not in explained:
            mine = [one.code for one in order if one.code in explains[cause.code] and one.code != cause.code]
            worse = {one.code for one in order if WORST_FIRST[one.severity] < WORST_FIRST[cause.severity]}
            explained |= {code: cause.code for code in mine if code not in worse and code not in explained.values()}
    causes = tuple(one for one in order if one.code not in explained)
    symptoms = {
        cause.code: tuple(one for one in order if explained.get(one.code) == cause.code)
        for cause in causes
        if cause.code in explained.values()
    }
    return causes, symptoms
