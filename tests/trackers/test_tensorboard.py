"""TensorBoard, whose event files are read back by its own reader."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from art_training.testing.trackers import Seen, TrackerContract
from art_training.trackers import TensorBoardTracker


class TestTensorBoard(TrackerContract):
    def tracker(self, folder: Path) -> TensorBoardTracker:
        return TensorBoardTracker(folder)

    def read(self, folder: Path) -> Mapping[str, Seen]:
        seen: dict[str, Seen] = {}
        for run in sorted({path.parent for path in folder.rglob("events.out.tfevents.*")}):
            events = read_events(run)
            texts = {tag.removesuffix("/text_summary"): text for tag, text in events["texts"].items()}
            tags = dict(
                row.strip("| ").split(" | ", 1) for row in texts["tags"].splitlines()[2:] if " | " in row.strip("| ")
            )
            seen[tags["art.step"]] = Seen(
                parameters=events["parameters"],
                metrics={name: points[-1][1] for name, points in events["scalars"].items()},
                curves=events["scalars"],
                verdicts=texts["verdicts"],
                findings=texts.get("findings", ""),
                state=tags["art.state"],
                tags=tags,
                files=[path.name for path in run.rglob("*") if path.is_file() and "tfevents" not in path.name],
                pictures=len(events["images"]),
            )
        return seen


def read_events(folder: Path) -> dict[str, Any]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
    from tensorboard.util.tensor_util import make_ndarray

    events = EventAccumulator(str(folder), size_guidance={"tensors": 0, "scalars": 0})
    events.Reload()
    tags = events.Tags()
    parameters: dict[str, Any] = {}
    for content in events.summary_metadata.values():
        if content.plugin_data.plugin_name == "hparams":
            given = HParamsPluginData.FromString(content.plugin_data.content).session_start_info.hparams
            parameters |= {
                name: getattr(value, value.WhichOneof("kind"))
                for name, value in given.items()
                if value.WhichOneof("kind")
            }
    return {
        "scalars": {tag: [(one.step, one.value) for one in events.Scalars(tag)] for tag in tags["scalars"]},
        "texts": {
            tag: make_ndarray(newest(events.Tensors(tag)).tensor_proto).item().decode() for tag in tags["tensors"]
        },
        "images": tags["images"],
        "parameters": parameters,
    }


def newest(told: list[Any]) -> Any:
    """Files of one second are read in no order."""
    return max(told, key=lambda one: one.wall_time)


@pytest.mark.parametrize("project", ["digits", "../../outside", "/etc"])
def test_a_run_stays_in_its_folder_whatever_its_project_is_called(tmp_path, project) -> None:
    from art_training.trackers import TrackedRun

    writer = TensorBoardTracker(tmp_path / "runs").start(TrackedRun("1", project, "..", "Overfit"))
    assert (tmp_path / "runs").resolve() in Path(writer.where).resolve().parents
    writer._to.close()
