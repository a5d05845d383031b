"""The contract, with a tracker and with a function of events as a user would write them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from art_training.errors import UsageError
from art_training.records import StepEnded
from art_training.setup.identity.secrets import mask_mapping
from art_training.testing.trackers import Seen, TrackerContract
from art_training.trackers import Table, TensorBoardTracker, Tracker, Writer


class LinesWriter(Writer):
    """A line of JSON a call."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.where = str(path)

    def write(self, kind, **told):
        with self.path.open("a") as file:
            file.write(json.dumps([kind, told]) + "\n")

    def parameters(self, values):
        self.write("parameters", **values)

    def metrics(self, values):
        self.write("metrics", **values)

    def points(self, points):
        self.write("points", points=points)

    def table(self, table: Table):
        self.write("table", name=table.name, rows=table.records)

    def figure(self, name, path, note):
        self.write("picture", name=name, bytes=len(path.read_bytes()))
        return True

    def file(self, name, path, kind):
        self.write("file", name=name, text=path.read_text())
        return True

    def tags(self, values):
        self.write("tags", **values)

    def note(self, text):
        self.write("note", text=text)

    def end(self, state):
        self.write("end", state=state)


@dataclass(frozen=True)
class LinesTracker(Tracker):
    folder: Path
    name: ClassVar[str] = "lines"

    def start(self, run) -> Writer:
        path = self.folder / f"{run.id}.jsonl"
        with path.open("a") as file:
            file.write(json.dumps(["run", {"step": run.step}]) + "\n")
        return LinesWriter(path)


def seen_in(path: Path) -> tuple[str, Seen]:
    told = [json.loads(line) for line in path.read_text().splitlines()]

    def of(kind):
        return {name: value for one, values in told if one == kind for name, value in values.items()}

    tables = {
        values["name"]: json.dumps(values["rows"], ensure_ascii=False) for kind, values in told if kind == "table"
    }
    curves: dict[str, list[tuple[int, float]]] = {}
    for kind, values in told:
        for name, step, _, value in values["points"] if kind == "points" else ():
            curves.setdefault(name, []).append((step, value))
    tags = of("tags")
    return of("run")["step"], Seen(
        parameters=of("parameters"),
        metrics=of("metrics"),
        curves=curves,
        verdicts=tables["verdicts"],
        findings=tables.get("findings", ""),
        state=tags["art.state"],
        tags=tags,
        files=[values["name"] for kind, values in told if kind == "file"],
        pictures=sum(kind == "picture" for kind, _ in told),
    )


class TestATrackerOfOnesOwn(TrackerContract):
    def tracker(self, folder):
        return LinesTracker(folder)

    def read(self, folder) -> Mapping[str, Seen]:
        return dict(seen_in(path) for path in sorted(folder.glob("*.jsonl")))


@dataclass
class Listener:
    """As a user would write it in a line or two: whatever ended is written down."""

    folder: Path

    def __call__(self, event) -> None:
        if isinstance(event, StepEnded) and (event.judgement is None or event.judged_again or not event.recalled):
            told = {
                "state": event.run.state,
                "metrics": {
                    name: score.value for name, score in (event.outcome.scores if event.outcome else {}).items()
                },
                "verdicts": [[one.check, one.state, one.reason] for one in event.judgement.verdicts]
                if event.judgement
                else [],
                "findings": [
                    mask_mapping(
                        {"code": one.code, "severity": one.severity, "message": one.message, "remedy": one.remedy}
                    )
                    for one in (event.outcome.findings if event.outcome else ())
                ],
            }
            name = "".join(letter for letter in event.run.step if letter.isalnum())
            (self.folder / f"{name}.json").write_text(json.dumps(told))


class TestAFunctionOfEvents(TrackerContract):
    cannot = frozenset({"parameters", "curves", "tags", "files", "pictures"})

    def tracker(self, folder):
        return Listener(folder)

    def read(self, folder) -> Mapping[str, Seen]:
        told = {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}
        return {
            step: Seen(
                metrics=one["metrics"],
                verdicts=json.dumps(one["verdicts"], ensure_ascii=False),
                findings=json.dumps(one["findings"], ensure_ascii=False),
                state=one["state"],
            )
            for step, one in told.items()
        }


@pytest.mark.parametrize("files", ["figure", ["figure", "pictures"]])
def test_a_kind_of_files_that_there_is_not_is_refused(files) -> None:
    with pytest.raises(UsageError, match="is no list of kinds of files; give some of: figure, table, text"):
        TensorBoardTracker(files=files)


@pytest.mark.parametrize("seconds", [-1, float("inf"), float("nan")])
def test_a_patience_that_is_no_time_is_refused(seconds) -> None:
    with pytest.raises(UsageError, match="is no time; give seconds"):
        TensorBoardTracker(patience_seconds=seconds)
