"""A tracker: mirrors runs somewhere else; here as lines of JSON, a file a run."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from art_training.records import StepState
from art_training.trackers import Table, TrackedPoint, TrackedRun, Tracker, Writer


@dataclass(frozen=True)
class JsonLinesTracker(Tracker):
    """Mirrors runs to files of JSON lines, `<folder>/<run>.jsonl`.

    Attributes:
        folder: where they lie; made when it is first needed.
    """

    folder: Path | str = "tracked"

    name: ClassVar[str] = "jsonl"

    def start(self, run: TrackedRun) -> Writer:
        return _Lines(Path(self.folder), run)


class _Lines(Writer):
    """Each call is a line: what it is, and what it says."""

    def __init__(self, folder: Path, run: TrackedRun) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{run.id}.jsonl"
        self.where = str(path)
        self._file = path.open("a", encoding="utf-8")
        if not run.again:
            self._write("run", {"project": run.project, "step": run.step, "kind": run.kind})
        self._write("tags", run.tags)

    def parameters(self, values: Mapping[str, Any]) -> None:
        self._write("parameters", values)

    def metrics(self, values: Mapping[str, float]) -> None:
        self._write("metrics", {name: _number(value) for name, value in values.items()})

    def points(self, points: Sequence[TrackedPoint]) -> None:
        self._write("points", [(one.name, one.step, one.epoch, _number(one.value)) for one in points])

    def table(self, table: Table) -> None:
        self._write(
            f"table {table.name}", [{name: _number(cell) for name, cell in row.items()} for row in table.records]
        )

    def figure(self, name: str, path: Path, note: str) -> bool:
        return False  # no room for pictures; they are named among the files

    def file(self, name: str, path: Path, kind: str) -> bool:
        return False

    def tags(self, values: Mapping[str, str]) -> None:
        self._write("tags", values)

    def note(self, text: str) -> None:
        self._write("note", text)

    def end(self, state: StepState) -> None:
        self._write("end", state.value)
        self._file.close()

    def _write(self, what: str, said: Any) -> None:
        self._file.write(
            json.dumps({"what": what, "said": said if isinstance(said, str | list) else dict(said)}) + "\n"
        )
        self._file.flush()


def _number(value: Any) -> Any:
    """JSON has no NaN and no infinity; they are written as text, which Python's `float` reads."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
