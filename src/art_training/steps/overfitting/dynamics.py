"""How predictions of a fixed batch move over training: numbers as a table, and as small multiples.

The way they move says much about the training: jitter means a learning rate that is too high, and labels that are
predicted last are the hard ones (Karpathy, A Recipe for Training Neural Networks, 2019, "visualize prediction dynamics").
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from art_training.records import Artifact, Plain, Reading
from art_training.setup.observation import BatchObservation
from art_training.setup.scores.measures import Pool
from art_training.steps.bench import Bench
from art_training.steps.decisions import Decisions
from art_training.steps.overfitting.tables import keep_table
from art_training.steps.pictures import NO_PICTURE, can_draw, figure, keep_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

READING = "prediction dynamics"
_NUMBERS = 32  # of one example that are followed
_COLUMNS = 4
_FEWEST_DRAWN = 5  # looks; a line through two points shows no way


@dataclass
class _Followed:
    """One example.

    Attributes:
        label: what it should be, in words.
        wanted: of classes and labels, which numbers should go to 1, the others to 0; of values, what each should become.
        course: its numbers, look by look.
        said: what was predicted, look by look.
    """

    label: Plain
    wanted: list[float]
    course: list[list[float]] = field(default_factory=list[list[float]])
    said: list[Plain] = field(default_factory=list[Plain])


class Dynamics:
    """Follows the first examples of a fixed batch; `see` belongs into a `Look`.

    What was seen before a kill is remembered by the bench.

    Args:
        bench: the step's.
        examples: so many.
        name: of what is remembered, and of the files without their ending.
    """

    def __init__(self, bench: Bench, examples: int, name: str = "dynamics") -> None:
        self._bench = bench
        self._name = name
        self._examples = examples
        self._epochs: list[int] = []
        self._followed: list[_Followed] = []
        self._form = ""
        self._read(bench.recall(name))

    def see(self, epochs: int, observation: BatchObservation) -> None:
        """Take in a batch as it is after so many epochs; all but the first of a look are passed over."""
        from art_training.setup.scores.outputs import read_outputs

        if observation.index or epochs in self._epochs:
            return
        if epochs == 0:  # from the beginning again
            self._epochs, self._followed = [], []
        elif self._epochs and epochs < self._epochs[-1]:  # a training that goes on repeats what was not saved
            return
        outputs = read_outputs(observation, self._bench.task, self._bench.setup.outputs)
        if outputs.predictions is None or outputs.targets is None:
            return
        example = None if outputs.example is None else outputs.example.cpu()
        pool = Pool(outputs.predictions.cpu(), outputs.targets.cpu(), example)
        self._add(epochs, Decisions(pool, self._bench.task, observation.weight))

    @property
    def looks(self) -> tuple[int, ...]:
        """The numbers of completed epochs at which was looked."""
        return tuple(self._epochs)

    def newest(self) -> list[tuple[Plain, Plain]]:
        """Label and prediction of each example, as of the last look."""
        return [(one.label, one.said[-1]) for one in self._followed if one.said]

    def remember(self) -> None:
        """Keep what was seen, for a training that goes on after a kill."""
        if not self._followed:
            return
        followed: list[Plain] = [cast("Plain", vars(one)) for one in self._followed]
        kept: Plain = {
            "epochs": list(self._epochs),
            "form": self._form,
            "followed": followed,
        }
        self._bench.remember(self._name, kept)

    def results(self) -> tuple[list[Reading], list[Artifact]]:
        """What was seen: a reading, a table, and a picture where one can be drawn."""
        if not self._followed or len(self._epochs) < 2:
            return [], []
        artifacts = [
            keep_table(self._bench, self._rows(), f"{self._name}.csv", "predictions of a fixed batch over training")
        ]
        note = f"{len(self._followed)} examples at {len(self._epochs)} looks, in {self._name}.csv"
        if len(self._epochs) < _FEWEST_DRAWN:
            note += f"; too few for a picture, which takes {_FEWEST_DRAWN}: train longer, or give a larger share"
        elif can_draw():
            artifacts.append(self._draw())
        else:
            note += f"; {NO_PICTURE}"
        changes = [_changes(one.said) for one in self._followed] if self._form != "values" else []
        value: Plain = {"epochs": list(self._epochs)}
        if changes:
            value["changed decisions"] = list(changes)
        return [Reading(READING, value, note=note)], artifacts

    def _add(self, epochs: int, decisions: Decisions) -> None:
        count = min(self._examples, len(decisions))
        if not self._followed:
            self._form = decisions.form
            self._followed = [_followed(decisions, one) for one in range(count)]
        if count != len(self._followed):
            return
        self._epochs.append(epochs)
        for at, one in enumerate(self._followed):
            one.course.append(decisions.toward_label(at)[:_NUMBERS])
            one.said.append(decisions.shown(at)["predicted"])

    def _rows(self) -> list[dict[str, Plain]]:
        return [
            {
                "epochs": epoch,
                "example": number,
                "label": one.label,
                "predicted": one.said[at],
                "numbers": list(one.course[at]),
            }
            for at, epoch in enumerate(self._epochs)
            for number, one in enumerate(self._followed)
        ]

    def _draw(self) -> Artifact:
        lines = -(-len(self._followed) // _COLUMNS)
        columns = min(_COLUMNS, len(self._followed))
        drawn = figure(columns * 2.4, lines * 1.7 + 0.3)
        grid: Any = drawn.subplots(lines, columns, squeeze=False, sharex=True)
        for axis in grid.reshape(-1)[len(self._followed) :]:
            axis.set_axis_off()
        for number, (axis, one) in enumerate(zip(grid.reshape(-1), self._followed, strict=False)):
            self._draw_one(axis, one)
            axis.set_title(f"#{number}: {_brief(one.label)}", fontsize=7)
            axis.tick_params(labelsize=6)
        height = lines * 1.7 + 0.3
        drawn.subplots_adjust(left=0.09, right=0.99, bottom=0.35 / height, top=1 - 0.45 / height, hspace=0.35)
        what, key = _WORDS["values" if self._form == "values" else "decisions"]
        drawn.suptitle(f"#example: label; {key}", fontsize=8, y=0.995, va="top")
        drawn.supxlabel("epochs", fontsize=8, y=0.0, va="bottom")
        drawn.supylabel(what, fontsize=8, x=0.005, ha="left")
        note = "small multiples: each example's predictions over training, what its label asks for in green"
        return keep_figure(self._bench, drawn, f"{self._name}.png", note)

    def _draw_one(self, axis: "Axes", one: _Followed) -> None:
        for at, wanted in enumerate(one.wanted):
            course = [numbers[at] for numbers in one.course if at < len(numbers)]
            if self._form == "values":
                axis.plot(self._epochs[: len(course)], course, color="tab:green", linewidth=1.2)
                axis.axhline(wanted, color="0.6", linewidth=0.7, linestyle="--")
            else:
                colour, width = ("tab:green", 1.4) if wanted > 0.5 else ("0.7", 0.6)
                axis.plot(self._epochs[: len(course)], course, color=colour, linewidth=width)
        if self._form != "values":
            axis.set_ylim(-0.03, 1.03)

    def _read(self, remembered: Plain) -> None:
        if not isinstance(remembered, dict):
            return
        kept: Any = remembered
        self._epochs, self._form = kept["epochs"], kept["form"]
        self._followed = [_Followed(**one) for one in kept["followed"]]


_WORDS = {
    "values": ("predicted value", "green: predicted, dashed: what the label asks for"),
    "decisions": ("predicted probability", "green: what the label asks for, grey: everything else"),
}


def _followed(decisions: Decisions, example: int) -> _Followed:
    return _Followed(decisions.shown(example)["label"], decisions.wanted(example)[:_NUMBERS])


def _changes(said: Sequence[Plain]) -> int:
    return sum(a != b for a, b in itertools.pairwise(said))


def _brief(value: Plain) -> str:
    text = f"{value:.3g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 24 else f"{text[:23]}…"
