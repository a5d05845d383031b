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
    rank = {one.code: WORST_FIRST[one.severity] for one in order}
    may = {  # what each may explain: of those found, nothing that is worse than it
        one.code: {code for code in explains[one.code] if code != one.code and rank.get(code, -1) >= rank[one.code]}
        for one in order
    }
    # Who is explained by nobody speaks first: else a symptom that comes earlier would keep its own symptoms, and its place.
    first = sorted(order, key=lambda one: any(one.code in codes for codes in may.values()))
    explained: dict[str, str] = {}  # the cause of a symptom, by code
    for cause in first:
        if cause.code not in explained:
            taken = {*explained, *explained.values()}
            explained |= {one.code: cause.code for one in order if one.code in may[cause.code] - taken}
    causes = tuple(one for one in order if one.code not in explained)
    symptoms = {
        cause.code: tuple(one for one in order if explained.get(one.code) == cause.code)
        for cause in causes
        if cause.code in explained.values()
    }
    return causes, symptoms
