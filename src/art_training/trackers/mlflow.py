"""MLflow.

The experiment of MLflow is ART's project unless another is given, and each run of a step is one of its runs, with its kind and
state among the tags, so that `tags."art.step" = 'Overfit'` lists the attempts at one step. No run is a parent of others:
nested runs are meant for the parts of one piece of work, such as the trials of a search, and steps are pieces of their own.

MLflow has one series for each name. Where a score has the name of a curve, it is one more value at the curve's last step, so that
tables of runs, which show the last value, show the score.
"""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

from art_training.records import StepState
from art_training.trackers.contents import finite
from art_training.trackers.tracker import Leaf, Table, TrackedPoint, TrackedRun, Tracker, Writer, require, slug

_NOT_IN_A_NAME = r"[^/\w.\- :]"
_AT_ONCE = 100  # parameters and tags in one request; metrics may be a thousand
_STATUS = {StepState.ERRORED: "FAILED", StepState.INTERRUPTED: "KILLED"}


@dataclass(frozen=True)
class MlflowTracker(Tracker):
    """Mirrors runs to MLflow; extra `mlflow`.

    The status of a run there says whether it came to its end, and its tag `art.state` whether it passed. MLflow's telemetry is
    off, unless MLFLOW_DISABLE_TELEMETRY says otherwise.

    Attributes:
        uri: of the tracking server or database; None: MLFLOW_TRACKING_URI, or else what MLflow takes by itself, a file
            `mlflow.db` in the working directory.
        experiment: its name; None: the project's.
    """

    uri: str | None = None
    experiment: str | None = None

    name: ClassVar[str] = "mlflow"

    def start(self, run: TrackedRun) -> Writer:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # it is read when mlflow is imported
        mlflow = require("mlflow", "mlflow")
        client = mlflow.MlflowClient(tracking_uri=self.uri)
        name = self.experiment or run.project
        known = client.get_experiment_by_name(name)
        experiment: str = client.create_experiment(name) if known is None else known.experiment_id
        found = client.search_runs([experiment], f"tags.`art.run` = '{run.id}'", max_results=1) if run.again else []
        if found:
            return _MlflowWriter(mlflow, client, found[0].info)
        made = client.create_run(experiment, run_name=run.step, tags={"art.run": run.id})
        return _MlflowWriter(mlflow, client, made.info)


class _MlflowWriter(Writer):
    def __init__(self, mlflow: Any, client: Any, info: Any) -> None:
        self._entities = mlflow.entities
        self._client = client
        self._run: str = info.run_id
        self._last: dict[str, int] = {}  # the last step of each curve
        self.where = f"{client.tracking_uri}, run {self._run}"

    def parameters(self, values: Mapping[str, Leaf]) -> None:
        kept = (self._entities.Param(_name(name), str(value)) for name, value in values.items())
        for some in _parts(kept):
            self._client.log_batch(self._run, params=some)

    def metrics(self, values: Mapping[str, float]) -> None:
        now = int(time.time() * 1000)
        kept = (self._metric(name, value, now, self._last.get(name, 0)) for name, value in values.items())
        for some in _parts(kept):
            self._client.log_batch(self._run, metrics=some)

    def points(self, points: Sequence[TrackedPoint]) -> None:
        now = int(time.time() * 1000)
        self._last |= {point.name: point.step for point in points}
        for some in _parts(self._metric(point.name, point.value, now, point.step) for point in points):
            self._client.log_batch(self._run, metrics=some)

    def table(self, table: Table) -> None:
        data = finite({"columns": table.columns, "data": table.rows})  # as mlflow.load_table reads it
        self._client.log_dict(self._run, data, f"{table.name}.json")

    def figure(self, name: str, path: Path, note: str) -> bool:
        return self.file(name, path, "figure")

    def file(self, name: str, path: Path, kind: str) -> bool:
        self._client.log_artifact(self._run, str(path), kind)
        return True

    def tags(self, values: Mapping[str, str]) -> None:
        kept = (self._entities.RunTag(_name(name), value) for name, value in values.items())
        for some in _parts(kept):
            self._client.log_batch(self._run, tags=some)

    def note(self, text: str) -> None:
        self._client.set_tag(self._run, "mlflow.note.content", text)  # the run's description

    def end(self, state: StepState) -> None:
        self._client.set_terminated(self._run, _STATUS.get(state, "FINISHED"))

    def _metric(self, name: str, value: float, at: int, step: int) -> Any:
        return self._entities.Metric(_name(name), value, at, step)


def _name(text: str) -> str:
    return slug(text, _NOT_IN_A_NAME, longest=250)


def _parts(items: Iterator[Any]) -> Iterator[list[Any]]:
    while some := list(islice(items, _AT_ONCE)):
        yield some
