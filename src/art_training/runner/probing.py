"""The probes that people attach to a run: told of each training of a step, and what they leave kept beside it."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from art_training.engines import FitResult, Look
from art_training.probes import Monitor
from art_training.probes.attached import Left, Predictions, Probe, Watch
from art_training.records import PROBED, Artifact, Plain
from art_training.setup.called import Called
from art_training.setup.observation import BatchObservation
from art_training.steps.overfitting.dynamics import Dynamics
from art_training.steps.overfitting.tables import keep_table
from art_training.steps.pictures import Tile, as_image, can_draw, keep_figure, sheet

if TYPE_CHECKING:
    from torch import Tensor

    from art_training.steps.bench import Bench

_TRAININGS = 8  # of a step that are looked at: a search has hundreds
_NUMBERS = 1_000  # of a row that is no image
_TOLD = 8  # examples whose prediction is told

Telling = Callable[[Probe, str], None]


class Probing:
    """Attaches probes to the trainings of one step. Nothing that they see is part of what the step gives.

    Args:
        probes: that look at this step.
        tell: is given what each has to say.
    """

    def __init__(self, probes: Sequence[Probe] = (), tell: Telling = lambda _, __: None) -> None:
        self._probes = tuple(probes)
        self._tell = tell
        self._trainings = 0
        self._watched: list[tuple[Probe, Watch]] = []
        self._dynamics: list[tuple[Probe, Dynamics]] = []
        self.artifacts: list[Artifact] = []

    def begin(self, bench: "Bench", label: str, called: Called) -> tuple[tuple[Monitor, ...], tuple[Look, ...]]:
        """What watches the next training, and what the engine is to look at for it.

        Args:
            bench: of the step.
            label: of the training; empty where it is the step's only one.
            called: how the user calls the parts of the model.
        """
        self._watched, self._dynamics = [], []
        self._trainings += 1
        if self._trainings > _TRAININGS:
            if self._trainings == _TRAININGS + 1:
                for probe in self._probes:
                    self._tell(probe, f"{_TRAININGS} trainings of this step were looked at, and no more will be")
            return (), ()
        looks: list[Look] = []
        for probe in self._probes:
            say = self._saying(probe, label)
            if isinstance(probe, Predictions):
                looks.append(self._following(probe, bench, label, say))
            else:
                self._watched.append((probe, probe.watch(say, called)))
        return tuple(watch for _, watch in self._watched), tuple(looks)

    def end(self, bench: "Bench", label: str) -> None:
        """Keep what was left."""
        for probe, watch in self._watched:
            if "store" in probe.to:
                for left in watch.left():
                    self.artifacts += _kept(bench, left, _named(label, left.name))
        for probe, dynamics in self._dynamics:
            if "store" in probe.to:
                self.artifacts += dynamics.results()[1]

    def _saying(self, probe: Probe, label: str) -> Callable[[str], None]:
        return lambda text: self._tell(probe, f"{label}, {text}" if label else text)

    def _following(self, probe: Predictions, bench: "Bench", label: str, say: Callable[[str], None]) -> Look:
        dynamics = Dynamics(bench, probe.examples, _named(label, "predictions"))
        self._dynamics.append((probe, dynamics))

        def see(epochs: int, observation: BatchObservation) -> None:
            before = len(dynamics.looks)
            dynamics.see(epochs, observation)
            if len(dynamics.looks) > before:
                pairs = ", ".join(f"{_brief(label)} as {_brief(said)}" for label, said in dynamics.newest()[:_TOLD])
                say(f"after epoch {epochs}, label as predicted: {pairs}")

        return Look(see, batches=1, share=probe.share)


def without_probes(result: FitResult, looks: int) -> FitResult:
    """A result as it would be had nobody looked.

    Args:
        result: of a training.
        looks: how many of its looks, the last ones, were for probes.
    """
    if not looks:
        return result
    told = cast("Sequence[Mapping[str, Plain]]", result.parameters.get("looks", []))
    parameters = {**result.parameters, "looks": list(told[:-looks])}
    if not parameters["looks"]:
        del parameters["looks"]
    from dataclasses import replace

    return replace(result, parameters=parameters)


def _kept(bench: "Bench", left: Left, name: str) -> list[Artifact]:
    if left.examples is None:
        return [keep_table(bench, [dict(row) for row in left.rows], f"{name}.csv", left.note)]
    whole: Tensor = left.examples.float() if left.examples.is_floating_point() else left.examples
    rows = whole.numpy()
    images = [as_image(one) if one.dtype.kind == "f" else None for one in rows]
    tiles = [Tile(one, str(index)) for index, one in enumerate(images) if one is not None]
    if can_draw() and len(tiles) == len(rows) > 0:
        return [keep_figure(bench, sheet({left.note: tiles}), f"{name}.png", left.note)]
    table: list[dict[str, Plain]] = []
    for index, row in enumerate(rows):
        cells: dict[str, Plain] = {str(at): value for at, value in enumerate(row.reshape(-1)[:_NUMBERS].tolist())}
        table.append({"example": index, **cells})
    return [keep_table(bench, table, f"{name}.csv", left.note)]


def _named(label: str, name: str) -> str:
    words = (re.sub(r"[^\w.=-]+", "-", label)[:60].strip("-"), name)
    return PROBED + "-".join(word for word in words if word)


def _brief(value: Plain) -> str:
    text = f"{value:.3g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 16 else f"{text[:15]}…"
