"""Any Lightning logger that the user has already, by what it can do: Lightning itself is not imported.

A logger is one run of its service. Where the user gives one that is made, it holds the runs of all steps, and names begin with the
step's: `Overfit/validation/accuracy`. Where the user gives a function that makes one, each run of a step has its own, and
names are as they are in ART.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, cast

from art_training.errors import UsageError
from art_training.records import StepState
from art_training.trackers.contents import finite
from art_training.trackers.tracker import Leaf, Table, TrackedPoint, TrackedRun, Tracker, Writer

_TOLD = {"verdicts", "findings"}  # of a logger without tables; the rest is among metrics and parameters


@dataclass(frozen=True)
class LightningLoggerTracker(Tracker):
    """Mirrors runs to a Lightning logger: an object with `log_metrics` and `log_hyperparams`.

    Tables go to its `log_table`, and pictures to its `log_image`, where it has them. Without `log_table`, each verdict and
    each finding is a hyper-parameter with a text.

    Attributes:
        logger: the logger, or a function that makes one for each run of a step and is called with its `TrackedRun`.

    Raises:
        UsageError: it is neither.
    """

    logger: Any

    name: ClassVar[str] = "lightning_logger"

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.logger, type) or not (is_logger(self.logger) or callable(self.logger)):
            raise UsageError(
                f"logger={self.logger!r} is no Lightning logger: give an object with log_metrics and log_hyperparams, such as "
                "CSVLogger('logs'), or a function that makes one of a TrackedRun"
            )

    def start(self, run: TrackedRun) -> Writer:
        if is_logger(self.logger):
            return _LoggerWriter(self.logger, f"{run.step}/", ends=False)
        made = cast("Callable[[TrackedRun], Any]", self.logger)(run)
        if not is_logger(made):
            raise UsageError(
                f"the function made {made!r}, which has no log_metrics or no log_hyperparams; return a logger"
            )
        return _LoggerWriter(made, "", ends=True)


def is_logger(given: object) -> bool:
    """Whether an object can do what a Lightning logger can."""
    return not isinstance(given, type) and all(
        callable(getattr(given, name, None)) for name in ("log_metrics", "log_hyperparams")
    )


class _LoggerWriter(Writer):
    def __init__(self, logger: Any, begin: str, *, ends: bool) -> None:
        self._logger = logger
        self._begin = begin
        self._ends = ends
        self._last: dict[str, int] = {}  # the last step of each curve
        self.where = str(getattr(logger, "log_dir", None) or getattr(logger, "save_dir", None) or "")

    def parameters(self, values: Mapping[str, Leaf]) -> None:
        self._logger.log_hyperparams({f"{self._begin}{name}": value for name, value in values.items()})

    def metrics(self, values: Mapping[str, float]) -> None:
        self._log([TrackedPoint(name, self._last.get(name, 0), 0, value) for name, value in values.items()])

    def points(self, points: Sequence[TrackedPoint]) -> None:
        self._last |= {point.name: point.step for point in points}
        self._log(points)

    def table(self, table: Table) -> None:
        if callable(getattr(self._logger, "log_table", None)):
            rows = [list(row) for row in table.rows]
            self._logger.log_table(key=f"{self._begin}{table.name}", columns=list(table.columns), data=rows)
        elif table.name in _TOLD:
            told = {
                f"{table.name}/{number}": json.dumps(finite(record), ensure_ascii=False)
                for number, record in enumerate(table.records)
            }
            self.parameters(told)

    def figure(self, name: str, path: Path, note: str) -> bool:
        can = callable(getattr(self._logger, "log_image", None))
        if can:
            self._logger.log_image(key=f"{self._begin}{path.stem}", images=[str(path)])
        return can

    def file(self, name: str, path: Path, kind: str) -> bool:
        return False

    def tags(self, values: Mapping[str, str]) -> None:
        self.parameters(values)

    def note(self, text: str) -> None:
        self.parameters({"art.note": text})

    def end(self, state: StepState) -> None:
        if callable(getattr(self._logger, "save", None)):
            self._logger.save()
        if self._ends and callable(getattr(self._logger, "finalize", None)):
            self._logger.finalize("failed" if state in {StepState.ERRORED, StepState.INTERRUPTED} else "success")

    def _log(self, points: Sequence[TrackedPoint]) -> None:
        rows: dict[int, dict[str, float]] = {}
        for point in points:
            rows.setdefault(point.step, {})[f"{self._begin}{point.name}"] = point.value
        for step, row in rows.items():
            self._logger.log_metrics(row, step=step)
