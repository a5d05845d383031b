"""Neptune, with its client 1.x.

Neptune's own service ended in March 2026, so that runs are written offline unless another mode is asked for, which is for those who
host it themselves. Each run of a step is a run, whose fields are `parameters`, `metrics`, `curves`, `tables`, `figures`, `files`,
`art` and the note.
"""

import json
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from art_training.records import StepState
from art_training.trackers.contents import finite
from art_training.trackers.tracker import Leaf, Table, TrackedPoint, TrackedRun, Tracker, Writer, require


@dataclass(frozen=True)
class NeptuneTracker(Tracker):
    """Mirrors runs to Neptune; extra `neptune`.

    Neptune keeps no NaN and no infinity: as scores they are kept as text, of curves they are left out. Its own look at the console,
    the hardware, the code and the git repository is switched off, since secrets in them would not be masked.

    Attributes:
        project: `workspace/name`; None: NEPTUNE_PROJECT, which offline is not needed.
        mode: `offline`, into `.neptune/` in the working directory; `async`, `sync` or `debug`.
    """

    project: str | None = None
    mode: Literal["offline", "async", "sync", "debug"] = "offline"

    name: ClassVar[str] = "neptune"

    def start(self, run: TrackedRun) -> Writer:
        neptune = require("neptune", "neptune")
        logging.getLogger("neptune").setLevel(logging.WARNING)  # its greetings go to stdout, among results
        opened = neptune.init_run(
            project=self.project,
            mode=self.mode,
            custom_run_id=run.id,
            name=run.step,
            tags=[run.kind],
            capture_stdout=False,
            capture_stderr=False,
            capture_hardware_metrics=False,
            capture_traceback=False,
            git_ref=False,
            source_files=[],
        )
        return _NeptuneWriter(neptune, opened, self)


class _NeptuneWriter(Writer):
    def __init__(self, neptune: Any, run: Any, tracker: NeptuneTracker) -> None:
        self._types = neptune.types
        self._run = run
        self._seconds = tracker.patience_seconds
        offline = f"offline; {Path('.neptune').absolute()}"
        self.where = str(run.get_url()) if tracker.mode in {"async", "sync"} else offline

    def parameters(self, values: Mapping[str, Leaf]) -> None:
        for name, value in values.items():
            self._set(f"parameters/{name}", value)

    def metrics(self, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._set(f"metrics/{name}", value)

    def points(self, points: Sequence[TrackedPoint]) -> None:
        for name in dict.fromkeys(point.name for point in points):
            kept = [point for point in points if point.name == name and math.isfinite(point.value)]
            if kept:
                self._run[f"curves/{name}"].extend(
                    values=[point.value for point in kept], steps=[point.step for point in kept]
                )

    def table(self, table: Table) -> None:
        text = json.dumps(finite(table.records), ensure_ascii=False, indent=1)
        self._run[f"tables/{table.name}"].upload(self._types.File.from_content(text, extension="json"))

    def figure(self, name: str, path: Path, note: str) -> bool:
        return self._upload(f"figures/{name}", path)

    def file(self, name: str, path: Path, kind: str) -> bool:
        return self._upload(f"files/{name}", path)

    def tags(self, values: Mapping[str, str]) -> None:
        for name, value in values.items():
            self._set(name.replace(".", "/"), value)

    def note(self, text: str) -> None:
        self._set("note", text)

    def end(self, state: StepState) -> None:
        self._run["sys/failed"] = state in {StepState.ERRORED, StepState.INTERRUPTED}
        self._run.stop(seconds=self._seconds)

    def _set(self, field: str, value: Leaf) -> None:
        odd = value is None or (isinstance(value, float) and not math.isfinite(value))
        self._run[field] = str(value) if odd else value

    def _upload(self, field: str, path: Path) -> bool:
        """By its bytes: of a path Neptune would read only later."""
        content = self._types.File.from_content(path.read_bytes(), extension=path.suffix.lstrip("."))
        self._run[field].upload(content)
        return True
