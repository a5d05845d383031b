"""The health of a training as one table: what is wrong first, each layer in words and numbers."""

from collections.abc import Mapping, Sequence

from art_training.checks.values import number
from art_training.dashboard.parts.html import h, link
from art_training.dashboard.parts.severities import rule_query, severity_badge
from art_training.records.counted import counted
from art_training.views.health import HealthView, LayerRow, TrainingRow, Verdict

_SHOWN = 30  # layers; the others stand behind a line that opens
_SIGNS: Mapping[Verdict, tuple[str, str]] = {
    Verdict.BAD: ("✗", "is-failed"),
    Verdict.WATCH: ("!", "is-warned"),
    Verdict.GOOD: ("✓", "is-passed"),
    Verdict.UNKNOWN: ("?", "is-idle"),
}


def draw_health(told: tuple[str, HealthView, bool]) -> None:
    """What rules said of each training, and what is known of each layer.

    Args:
        told: the project, the health, and whether anything was trained.
    """
    project, health, trained = told
    alike: dict[str, list[TrainingRow]] = {}
    for training in health.trainings:
        alike.setdefault(_told(training), []).append(training)
    for said, trainings in alike.items():
        h("p", f"{', '.join(training.training for training in trainings)}: {said}")
        for training in trainings:
            _training(project, training)
    if health.layers:
        h("h3", "Gradients, updates and activations by layer")
        _layers(health.layers[:_SHOWN], "Layers")
        if len(health.layers) > _SHOWN:
            with h("details"):
                h("summary", f"{len(health.layers) - _SHOWN} more")
                _layers(health.layers[_SHOWN:], "More layers")
    elif trained:
        h(
            "p",
            "The module logged nothing of its layers. Where it logs e.g. grad_norm by layer, each is judged here beside "
            "the others.",
            "soft small",
        )


def _told(training: TrainingRow) -> str:
    judged = len(training.passed) + len(training.found)
    told = [
        f"{counted(judged, 'rule')} looked",
        f"{len(training.found)} found something" if training.found else "none found anything",
        f"{len(training.not_judged)} could not tell" if training.not_judged else "",
    ]
    return ", ".join(filter(None, told))


def _training(project: str, training: TrainingRow) -> None:
    if training.broken:
        h("p", f"It could not be gone through: {training.broken}", "why is-bad")
    for found in training.found:
        with h("p", "", "badges"):
            severity_badge(found.severity.value)
            link(found.code, "/rule", "mono", query=rule_query(found.code, project))
            h("span", found.message)
        if found.remedy:
            h("p", found.remedy, "soft small")
    if training.not_judged:
        with h("details"):
            h("summary", f"{training.training}: why some could not tell")
            with h("ul", "", "plain small"):
                for code, why in training.not_judged.items():
                    h("li", f"{code}: {why}")


def _layers(rows: Sequence[LayerRow], caption: str) -> None:
    trainings = any(row.training for row in rows)
    head = (*(("training",) if trainings else ()), "layer", "statistic", "first", "last", "worst", "verdict", "why")
    with h("div", "", "scroll", tabindex="0", role="region", aria_label=caption), h("table", "", "rows"):
        with h("thead"), h("tr"):
            for title in head:
                h("th", title, "number" if title in {"first", "last", "worst"} else "", scope="col")
        with h("tbody"):
            for row in rows:
                with h("tr"):
                    for cell in (*((row.training,) if trainings else ()), row.layer, row.statistic):
                        h("td", cell)
                    for value in (row.first, row.last, row.worst):
                        h("td", number(value), "number")
                    with h("td"):
                        _verdict(row.verdict)
                    h("td", row.reason)


def _verdict(verdict: Verdict) -> None:
    sign, look = _SIGNS[verdict]
    with h("span", "", f"badge {look}"):
        h("span", sign, aria_hidden="true")
        h("span", verdict.value)
