"""Lightning loggers that a user has already: one for all steps, and one for each."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from art_training.errors import ProjectError, UsageError
from art_training.project import ArtProject
from art_training.setup.setup import Setup
from art_training.testing.data import points
from art_training.testing.fake_engine import Line
from art_training.testing.trackers import Seen, TrackerContract
from art_training.trackers import LightningLoggerTracker, TrackedRun

pytestmark = pytest.mark.slow  # importing the library takes seconds


def read_csv_logger(folder: Path) -> tuple[dict[str, Any], dict[str, list[tuple[int, float]]]]:
    """What `CSVLogger` wrote: hyper-parameters, and the values of each metric with their steps."""
    import csv

    import yaml

    parameters = yaml.safe_load((folder / "hparams.yaml").read_text())
    curves: dict[str, list[tuple[int, float]]] = {}
    with (folder / "metrics.csv").open() as file:
        for row in csv.DictReader(file):
            for name, value in row.items():
                if name != "step" and value:
                    curves.setdefault(name, []).append((int(row["step"]), float(value)))
    return parameters, curves


def seen_in(parameters: Mapping[str, Any], curves: Mapping[str, list[tuple[int, float]]], begin: str) -> Seen:
    def part(values: Mapping[str, Any], begin: str) -> dict[str, Any]:
        return {name.removeprefix(begin): value for name, value in values.items() if name.startswith(begin)}

    mine = part(parameters, begin)
    return Seen(
        parameters=mine,
        metrics={name: values[-1][1] for name, values in part(curves, begin).items()},
        curves=part(curves, begin),
        verdicts="\n".join(part(mine, "verdicts/").values()),
        findings="\n".join(part(mine, "findings/").values()),
        state=mine["art.state"],
        tags=mine,
    )


class TestOneLoggerForAllSteps(TrackerContract):
    cannot = frozenset({"files", "pictures"})

    def tracker(self, folder: Path) -> LightningLoggerTracker:
        if not hasattr(self, "logger"):  # the user's logger lives as long as the process
            from lightning.pytorch.loggers import CSVLogger

            self.logger = CSVLogger(folder, name="mine")
        return LightningLoggerTracker(self.logger)

    def read(self, folder: Path) -> Mapping[str, Seen]:
        parameters, curves = read_csv_logger(folder / "mine" / "version_0")
        steps = [name.removesuffix("/art.step") for name in parameters if name.endswith("/art.step")]
        return {step: seen_in(parameters, curves, f"{step}/") for step in steps}


class TestALoggerForEachStep(TrackerContract):
    cannot = frozenset({"files", "pictures"})

    def tracker(self, folder: Path) -> LightningLoggerTracker:
        from lightning.pytorch.loggers import TensorBoardLogger

        def logger(run: TrackedRun) -> Any:  # it never overwrites what it wrote of hyper-parameters
            return TensorBoardLogger(folder, name=run.id, version="again" if run.again else "0")

        return LightningLoggerTracker(logger)

    def read(self, folder: Path) -> Mapping[str, Seen]:
        import yaml
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        seen: dict[str, Seen] = {}
        for run in sorted(folder.glob("*/*/")):
            events = EventAccumulator(str(run), size_guidance={"scalars": 0})
            events.Reload()
            curves = {tag: [(one.step, one.value) for one in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
            parameters = yaml.safe_load((run / "hparams.yaml").read_text())
            seen[parameters["art.step"]] = seen_in(parameters, curves, "")
        return seen


@pytest.mark.parametrize("given", [3, dict, "csv"])
def test_what_is_no_logger_is_refused(given) -> None:
    with pytest.raises(UsageError, match="is no Lightning logger: give an object with log_metrics"):
        LightningLoggerTracker(given)


def test_a_logger_may_be_given_as_it_is(tmp_path) -> None:
    from lightning.pytorch.loggers import CSVLogger

    logger = CSVLogger(tmp_path)
    project = ArtProject("p", Setup(Line, points()), trackers=[logger])
    assert project.trackers == (LightningLoggerTracker(logger),)
    with pytest.raises(ProjectError, match=r"is one tracker; write a list: trackers=\["):
        ArtProject("p", Setup(Line, points()), trackers=logger)
