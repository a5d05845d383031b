"""Why a run stands as it stands: its checks with their numbers beside their limits, and what was found wrong."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from art_training.checks.values import number
from art_training.dashboard.parts.html import facts, h, link
from art_training.dashboard.parts.severities import rule_query, severity_badge
from art_training.dashboard.parts.states import badge, mark
from art_training.records import Finding, Judgement, Verdict, VerdictState, plain
from art_training.records.counted import counted
from art_training.views import CheckRow
from art_training.views.limits import Limit
from art_training.views.readable import readable
from art_training.views.wording import when

_ENDS = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)  # of a scale, in powers of ten
_ROOM = 1.1  # so much farther than the last number a scale goes
_NEARLY_ALL = 0.8  # from which on what is at most 1 stands on a scale up to 1


@dataclass(frozen=True)
class Judged:
    """What the checks of a run say.

    Attributes:
        checks: the last judgement's answers.
        judgements: all, oldest first.
    """

    checks: tuple[CheckRow, ...]
    judgements: tuple[Judgement, ...]


def draw_checks(judged: Judged) -> None:
    """The answers with their evidence; earlier judgements below."""
    if not judged.judgements:
        h("p", "Not judged: checks look at a run when it has ended.", "soft")
        return
    if not judged.checks:
        h("p", "No check asked whether this result is right; give the step some with .check(...).", "why")
    with h("ul", "", "evidence"):
        for check, verdict in zip(judged.checks, judged.judgements[-1].verdicts, strict=True):
            with h("li"):
                _check(check, verdict)
    earlier = judged.judgements[:-1]
    if earlier:
        with h("details"):
            h("summary", f"{counted(len(earlier), 'earlier judgement')}: its checks changed since")
            for judgement in reversed(earlier):
                with h("p", "", "badges"):
                    h("span", when(judgement.at), "soft")
                    badge(judgement.state)
                with h("ul", "", "checks"):
                    for verdict in judgement.verdicts:
                        with h("li"):
                            mark(verdict.state)
                            h("span", verdict.told)


def draw_findings(found: tuple[str, tuple[Finding, ...]]) -> None:
    """What was found wrong, with remedies and confirmations.

    Args:
        found: the project, and what was found.
    """
    project, findings = found
    for finding in findings:
        with h("article", "", "card finding"):
            with h("div", "", "badges"):
                severity_badge(finding.severity.value)
                link(finding.code, "/rule", "mono", query=rule_query(finding.code, project))
                h("span", ", ".join(filter(None, (finding.category, finding.stage))), "soft small")
            h("p", finding.message, "prose")
            facts([("where", finding.where), ("what to do", finding.remedy), ("confirmed by", finding.confirmed_by)])
            if finding.evidence:
                with h("details"):
                    h("summary", "Its numbers")
                    _numbers([(name, readable(plain(value))) for name, value in finding.evidence.items()])


def _check(check: CheckRow, verdict: Verdict) -> None:
    mark(check.state)
    with h("div"):
        h("p", check.told)
        if check.limit:
            _gauge(check, check.limit)
        numbers = [(name, readable(plain(value))) for name, value in check.numbers.items()]
        asked = [(name, readable(plain(value), exact=True)) for name, value in verdict.configuration.items()]
        if numbers or asked or verdict.traceback:
            with h("details"):
                h("summary", "Its numbers")
                _numbers(numbers)
                if asked:
                    h("h3", "What was asked")
                    _numbers(asked)
                if verdict.traceback:
                    h("pre", verdict.traceback, "log", tabindex="0", role="region", aria_label="Where the check raised")


def _gauge(check: CheckRow, limit: Limit) -> None:
    """A number, with its interval where it has one, on a scale on which what passes is marked."""
    ends = [end for end in (limit.above, limit.below) if end is not None]
    if not all(math.isfinite(value) for value in (limit.value, *ends)) or {limit.value} == {*ends}:
        return  # nothing to see: no place on a scale, or a point on a point
    interval = _interval(check)
    low, high = scale((limit.value, *ends, *interval))

    def share(value: float) -> float:
        return 100 * (value - low) / (high - low)

    begin = 0.0 if limit.above is None else share(limit.above)
    end = 100.0 if limit.below is None else share(limit.below)
    with h("div", "", "gauge"):
        with h("div", "", "scale small soft", aria_hidden="true"):
            h("span", number(low))
            with h("div", "", "track"):
                h("div", "", "zone", style=f"left: {begin:.2f}%; width: {max(end - begin, 0.5):.2f}%")
                if interval:
                    left, right = (share(value) for value in interval)
                    h("div", "", "interval", style=f"left: {left:.2f}%; width: {right - left:.2f}%")
                passed = check.state is VerdictState.PASSED
                h("div", "", f"at {'is-passed' if passed else 'is-failed'}", style=f"left: {share(limit.value):.2f}%")
            h("span", number(high))
        h("span", f"{number(limit.value)}, to be {_wanted(limit)}", "small soft")


def scale(numbers: Sequence[float]) -> tuple[float, float]:
    """The ends of a scale with zero on it, so that lengths can be compared; all numbers lie between them."""
    low, high = min(numbers), max(numbers)
    if low >= 0 and _NEARLY_ALL < high <= 1:
        return 0.0, 1.0
    return 0.0 - _end(-low), _end(high) or (1.0 if low >= 0 else 0.0)


def _end(value: float) -> float:
    """A round number somewhat above a positive one; else 0."""
    if value <= 0:
        return 0.0
    unit = 10.0 ** math.floor(math.log10(value * _ROOM))
    return next(end * unit for end in _ENDS if end * unit >= value * _ROOM or end == _ENDS[-1])


def _interval(check: CheckRow) -> tuple[float, float] | tuple[()]:
    """The interval of the number that decided."""
    low, high = check.numbers.get("low"), check.numbers.get("high")
    if isinstance(low, int | float) and isinstance(high, int | float) and math.isfinite(low) and math.isfinite(high):
        return (float(low), float(high)) if low <= high else ()
    return ()


def _wanted(limit: Limit) -> str:
    if limit.above is not None and limit.below is not None:
        if limit.above == limit.below:
            return number(limit.above)
        return f"between {number(limit.above)} and {number(limit.below)}"
    return f"above {number(limit.above)}" if limit.above is not None else f"below {number(limit.below or 0.0)}"


def _numbers(pairs: Sequence[tuple[str, str]]) -> None:
    facts(pairs)
