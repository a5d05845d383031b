"""The recipe of one project as a timeline, and what to do next."""

from nicegui import ui

from art_training.checks.values import number
from art_training.dashboard.parts.frame import Crumb, Desk, follow, frame
from art_training.dashboard.parts.html import facts, h, link, sentence
from art_training.dashboard.parts.live import Part, Parts
from art_training.dashboard.parts.progress import draw_progress
from art_training.dashboard.parts.states import badge, look, mark
from art_training.records import StepState, VerdictState
from art_training.records.counted import counted
from art_training.views import CheckRow, StepStatus
from art_training.views.deciding import Deciding
from art_training.views.seen import Seen
from art_training.views.timeline import Timeline, TimelineStep, timeline_of
from art_training.views.wording import duration, when


def register(desk: Desk) -> None:
    """Make `/project` known."""

    @ui.page("/project")
    async def project(name: str) -> None:
        with frame(name, project=name, at="/project", crumbs=[Crumb("Projects", "/")]):
            summary = Part(_summary, h("div"))
            following = Part(_following, h("div", role="status"))
            with h("section", aria_label="The recipe, step by step"):
                steps = Parts[TimelineStep](
                    _name, lambda: h("li"), lambda row: _step(row, name), h("ol", "", "timeline")
                )
            rest = Part(_rest, h("div"))

            def show(found: Timeline) -> None:
                summary.show(found)
                following.show(found.next)
                steps.show(found.steps)
                rest.show(found)

            seen = Seen()
            await follow(desk, lambda store: timeline_of(store, name, seen=seen), show)


def _name(step: TimelineStep) -> str:
    return step.status.step


def _summary(found: Timeline) -> None:
    facts(
        [
            ("steps passed", f"{found.passed} of {len(found.steps)}" if found.steps else ""),
            ("running", found.running),
            ("test split used", counted(found.test_uses, "time") if found.test_uses else "never"),
            ("planned", when(found.planned) if found.planned else "not yet: what is outdated is not known"),
            ("store", found.store),
        ]
    )


def _following(text: str) -> None:
    sentence(text, "card call")


def _rest(found: Timeline) -> None:
    """What the recipe leaves out, and what one should know of the store."""
    if found.left_out:
        with h("section", "", "card"):
            h("h2", "Left out")
            with h("ul", "", "plain small"):
                for name, needed in found.left_out.items():
                    h("li", f"{name}, which needs {needed}")
    for note in found.notes:
        h("p", note, "why")


def _step(row: TimelineStep, project: str) -> None:
    step = row.status
    mark(step.state, f"node {look(step.state)}")
    with h("article", "", "step is-behind" if step.state is StepState.NOT_RUN else "step"):
        with h("div", "", "head"):
            with h("h2"):
                link(step.step, "/step", query={"project": project, "step": step.step})
            badge(step.state, "stale" if step.stale else "")
            h("span", _times(row), "time")
        if step.summary and not step.waits_for:
            h("p", step.summary, "small soft")
        if row.progress:
            draw_progress(row.progress)
        if row.score and row.score.baseline is not None:
            _score(row.score)
        for reason in step.reasons:
            h("p", reason, "why")
        for trouble in filter(None, (step.error, step.broken)):
            h("p", trouble, "why is-bad")
        if not step.waits_for:
            _checks(step)
        if step.findings:
            with h("p", "", "why"):
                link(counted(step.findings, "finding"), "/findings", query={"name": project, "find": step.step})
        if step.run:
            link("its run: curves, evidence, log", "/run", "small", query={"id": step.run})


def _times(row: TimelineStep) -> str:
    step = row.status
    if not step.run:
        return f"about {duration(row.expected_seconds)}" if row.expected_seconds else ""
    return ", ".join(filter(None, (duration(step.seconds), when(step.started))))


def _score(score: Deciding) -> None:
    interval = "" if score.low is None or score.high is None else f" [{number(score.low)}, {number(score.high)}]"
    baseline = "" if score.baseline is None else number(score.baseline)
    chance = score.apart is False and score.compared in {"better", "worse"}
    kind = "is-idle" if chance else {"better": "is-passed", "worse": "is-failed"}.get(score.compared, "is-idle")
    with h("p", "", "score"):
        h("span", f"{score.metric} {number(score.value)}{interval}")
        maybe = ", maybe by chance: the intervals overlap" if chance else ""
        told = f"{score.compared or 'beside'} than {score.baseline_name}'s {baseline}{maybe}"
        words = {"better": told, "worse": told, "equal": f"equal to {score.baseline_name}'s {baseline}"}
        h("span", words.get(score.compared, f"{score.baseline_name}: {baseline}"), f"badge {kind}")


def _checks(step: StepStatus) -> None:
    """What did not pass stands open; the rest is a line that opens."""
    passed = [check for check in step.checks if check.state is VerdictState.PASSED]
    others = [check for check in step.checks if check.state is not VerdictState.PASSED]
    if others:
        _listed(others)
    if passed:
        with h("details", "", "passed"):
            h("summary", f"{counted(len(passed), 'check')} passed")
            _listed(passed)


def _listed(checks: list[CheckRow]) -> None:
    with h("ul", "", "checks"):
        for check in checks:
            with h("li"):
                mark(check.state)
                h("span", check.told)
