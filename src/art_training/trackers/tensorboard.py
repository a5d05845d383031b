"""TensorBoard.

Each run of a step has a folder of its own, `<folder>/<project>/<step>/<run>`, since folders are what TensorBoard tells runs apart and
groups them by: `tensorboard --logdir runs/digits` shows a project. Verdicts and findings are texts, and the table of
hyper-parameters has the scores beside them.

TensorBoard has one series for each name. Where a score has the name of a curve, it is one more value at the curve's last step.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from art_training.records import StepState
from art_training.trackers.tracker import Leaf, Table, TrackedPoint, TrackedRun, Tracker, Writer, require, slug

_PICTURES = {".png", ".jpg", ".jpeg", ".bmp", ".gif"}


@dataclass(frozen=True)
class TensorBoardTracker(Tracker):
    """Mirrors runs to event files of TensorBoard; extra `tensorboard`.

    Attributes:
        folder: where the folders of projects are; relative to the working directory.
    """

    folder: Path | str = "runs"

    name: ClassVar[str] = "tensorboard"

    def start(self, run: TrackedRun) -> Writer:
        require("tensorboard", "tensorboard")
        torch = require("torch.utils.tensorboard", "tensorboard")
        folder = Path(self.folder).expanduser().absolute() / slug(run.project) / slug(run.step) / run.id
        return _TensorBoardWriter(torch, folder)


class _TensorBoardWriter(Writer):
    def __init__(self, torch: Any, folder: Path) -> None:
        self._torch = torch
        self._folder = folder
        self._to = torch.SummaryWriter(str(folder))
        self._parameters: dict[str, Leaf] = {}
        self._metrics: dict[str, float] = {}
        self._tags: dict[str, str] = {}
        self._last: dict[str, int] = {}  # the last step of each curve
        self.where = str(folder)

    def parameters(self, values: Mapping[str, Leaf]) -> None:
        self._parameters |= values

    def metrics(self, values: Mapping[str, float]) -> None:
        self._metrics |= values
        for name, value in values.items():
            self._to.add_scalar(name, value, self._last.get(name, 0))

    def points(self, points: Sequence[TrackedPoint]) -> None:
        for point in points:
            self._to.add_scalar(point.name, point.value, point.step)
        self._last |= {point.name: point.step for point in points}
        self._to.flush()

    def table(self, table: Table) -> None:
        self._to.add_text(table.name, _markdown(table.columns, table.rows))

    def figure(self, name: str, path: Path, note: str) -> bool:
        if path.suffix.lower() not in _PICTURES:
            return self.file(name, path, "figure")
        from numpy import asarray

        image = require("PIL.Image", "tensorboard")
        with image.open(path) as picture:
            self._to.add_image(f"figures/{path.stem}", asarray(picture.convert("RGB")), dataformats="HWC")
        return True

    def file(self, name: str, path: Path, kind: str) -> bool:
        """Beside the event files: TensorBoard shows no files."""
        (self._folder / kind).mkdir(exist_ok=True)
        shutil.copyfile(path, self._folder / kind / name)
        return True

    def tags(self, values: Mapping[str, str]) -> None:
        self._tags |= values

    def note(self, text: str) -> None:
        self._to.add_text("art", text)

    def end(self, state: StepState) -> None:
        self._to.add_text("tags", _markdown(("tag", "value"), tuple(self._tags.items())))
        shown = {name: value for name, value in self._parameters.items() if value is not None}
        from torch.utils.tensorboard.summary import hparams

        for summary in hparams(shown | self._tags, self._metrics):
            self._to.file_writer.add_summary(summary)
        self._to.close()


def _markdown(columns: Sequence[str], rows: Sequence[Sequence[Leaf]]) -> str:
    def line(cells: Sequence[Leaf]) -> str:
        texts = ("" if cell is None else str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells)
        return f"| {' | '.join(texts)} |"

    return "\n".join([line(columns), line(["---"] * len(columns)), *(line(row) for row in rows)])
