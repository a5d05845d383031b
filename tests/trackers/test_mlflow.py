"""MLflow, into a database in a file; read back by its own client."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from art_training.testing.trackers import Seen, TrackerContract
from art_training.trackers import MlflowTracker

pytestmark = pytest.mark.slow  # importing the library takes seconds


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database without runs: making one takes MLflow some seconds."""
    import os

    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    from mlflow import MlflowClient

    path = tmp_path_factory.mktemp("mlflow") / "empty.db"
    MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments()
    return path


class TestMlflow(TrackerContract):
    @pytest.fixture(autouse=True)
    def _in_the_folder(self, folder: Path, empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(folder)  # where MLflow keeps files by itself
        shutil.copy(empty, folder / "mlflow.db")

    def tracker(self, folder: Path) -> MlflowTracker:
        return MlflowTracker(uri=f"sqlite:///{folder}/mlflow.db")

    def read(self, folder: Path) -> Mapping[str, Seen]:
        from mlflow import MlflowClient

        client = MlflowClient(tracking_uri=f"sqlite:///{folder}/mlflow.db")
        experiments = [one.experiment_id for one in client.search_experiments()]
        seen: dict[str, Seen] = {}
        for run in client.search_runs(experiments, order_by=["attributes.start_time ASC"]):
            names = [file.path for file in client.list_artifacts(run.info.run_id)]
            inside = [file.path for name in names for file in client.list_artifacts(run.info.run_id, name)]
            tables: dict[str, str] = {}
            for name in ("verdicts", "findings"):
                if f"{name}.json" in names:
                    table = json.loads(Path(client.download_artifacts(run.info.run_id, f"{name}.json")).read_text())
                    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
                    tables[name] = json.dumps(rows, ensure_ascii=False)
            tags = run.data.tags
            seen[tags["art.step"]] = Seen(
                parameters=run.data.params,
                metrics=run.data.metrics,
                curves={
                    name: [
                        (one.step, one.value)
                        for one in sorted(
                            client.get_metric_history(run.info.run_id, name), key=lambda one: (one.step, one.timestamp)
                        )
                    ]
                    for name in run.data.metrics
                },
                verdicts=tables["verdicts"],
                findings=tables.get("findings", ""),
                state=tags["art.state"],
                tags=tags,
                files=[name for name in inside if not name.startswith("figure/")],
                pictures=sum(name.startswith("figure/") for name in inside),
            )
        return seen


@pytest.mark.usefixtures("empty")
def test_a_run_reads_as_a_page_and_ends_with_a_status(tmp_path, empty, monkeypatch) -> None:
    from mlflow import MlflowClient

    from art_training.records import StepState
    from art_training.trackers import TrackedRun

    monkeypatch.chdir(tmp_path)
    shutil.copy(empty, tmp_path / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    client = MlflowClient()
    for state, status in (("errored", "FAILED"), ("interrupted", "KILLED"), ("failed", "FINISHED")):
        writer = MlflowTracker(experiment="ours").start(TrackedRun(state, "digits", "Overfit", "Overfit"))
        writer.note("**Overfit: failed**")
        writer.end(StepState(state))
        experiment = client.get_experiment_by_name("ours")
        (run,) = client.search_runs([experiment.experiment_id], f"tags.`art.run` = '{state}'")
        assert (run.info.status, run.info.run_name) == (status, "Overfit")
        assert run.data.tags["mlflow.note.content"] == "**Overfit: failed**"
