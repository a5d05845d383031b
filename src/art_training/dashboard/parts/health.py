"""The health of a training as one table: what is wrong first, each layer in words and numbers."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from art_training.dashboard.parts.html import h, link
from art_training.dashboard.parts.severities import rule_query, severity_badge
from art_training.records.counted import counted
from art_training.records.layers import ACTIVATION, GRADIENT, SATURATED, SILENT, UPDATE
from art_training.views.health import HealthView, Layer, LayerRow, TrainingRow, Verdict, by_layer

_SHOWN = 30  # layers; the others stand behind a line that opens
_NAMED = 8  # trainings that are named
_TITLES: Mapping[str, str] = {
    GRADIENT: "gradient norm",
    UPDATE: "update by weights",
    ACTIVATION: "output RMS",
    SILENT: "silent units",
    SATURATED: "saturated",
}
_SIGNS: Mapping[Verdict, tuple[str, str]] = {
    Verdict.BAD: ("✗", "is-failed"),
    Verdict.WATCH: ("!", "is-warned"),
    Verdict.GOOD: ("✓", "is-passed"),
    Verdict.UNKNOWN: ("?", "is-idle"),
}


class Told(NamedTuple):
    """What is told of the health of a run.

    Attributes:
        project: whose.
        health: it.
        trained: whether anything was trained.
        not_followed: the trainings whose layers nobody looked at, though at those of others.
    """

    project: str
    health: HealthView
    trained: bool
    not_followed: tuple[str, ...]


def draw_health(told: Told) -> None:
    """What rules said of each training, and what is known of each layer."""
    project, health, trained, not_followed = told
    alike: dict[str, list[TrainingRow]] = {}
    for training in health.trainings:
        alike.setdefault(_told(training), []).append(training)
    for said, trainings in alike.items():
        h("p", f"{', '.join(training.training for training in trainings)}: {said}")
        for training in trainings:
            _training(project, training)
    layers = by_layer(health.layers)
    if layers:
        h("h3", "Gradients, updates and activations by layer")
        h(
            "p",
            "Each when it was looked at first and last: the norm of the gradient; the norm of a step's change by that of "
            "the weights; the root mean square of what the layer gives; the share of units that give 0 for a whole batch; "
            "the share of values at the ends of their range.",
            "soft small",
        )
        if not_followed:
            h("p", _left_out(len({layer.training for layer in layers}), not_followed), "small")
        _layers(layers[:_SHOWN], "Layers")
        if len(layers) > _SHOWN:
            with h("details"):
                h("summary", f"{len(layers) - _SHOWN} more")
                _layers(layers[_SHOWN:], "More layers")
    elif trained:
        h("p", "Nothing is known of its layers: it was trained before they were followed.", "soft small")


def _left_out(followed: int, others: Sequence[str]) -> str:
    more = f"; and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
    return (
        f"Layers were followed in {followed} of {followed + len(others)} trainings. Nothing is known of those of "
        f"{'; '.join(others[:_NAMED])}{more}."
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


def _layers(layers: Sequence[Layer], caption: str) -> None:
    trainings = any(layer.training for layer in layers)
    measured = {name: None for layer in layers for name in layer.rows}
    known = sorted(measured, key=lambda name: list(_TITLES).index(name) if name in _TITLES else len(_TITLES))
    head = (*(("training",) if trainings else ()), "layer", "", *(_TITLES.get(name, name) for name in known), "why")
    with h("div", "", "scroll", tabindex="0", role="region", aria_label=caption), h("table", "", "rows"):
        with h("thead"), h("tr"):
            for title in head:
                h("th", title or "verdict", scope="col")
        with h("tbody"):
            for layer in layers:
                with h("tr"):
                    for cell in (*((layer.training,) if trainings else ()), layer.name):
                        h("td", cell)
                    with h("td"):
                        _verdict(layer.verdict)
                    for name in known:
                        _cell(layer.rows.get(name))
                    h("td", "; ".join(layer.reasons))


def _cell(row: LayerRow | None) -> None:
    if row is None:
        h("td")
        return
    look = _SIGNS[row.verdict][1] if row.verdict in {Verdict.BAD, Verdict.WATCH} else ""
    told = f"{row.first:.3g} \N{RIGHTWARDS ARROW} {row.last:.3g}"
    h("td", told, f"number {look}".strip(), title=f"farthest from what is usual: {row.worst:.3g}")


def _verdict(verdict: Verdict) -> None:
    sign, look = _SIGNS[verdict]
    with h("span", "", f"badge {look}"):
        h("span", sign, aria_hidden="true")
        h("span", verdict.value)
