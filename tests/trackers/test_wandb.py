"""Weights & Biases, offline: what it wrote is read from its file, whose form is that of LevelDB's log.

There is no public reader of it; https://github.com/google/leveldb/blob/main/doc/log_format.md documents the form, and the
records are the protocol buffers that wandb ships.
"""

import json
import struct
import time
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from art_training.testing.trackers import Seen, TrackerContract, Trains
from art_training.trackers import WandbTracker

pytestmark = pytest.mark.slow  # importing the library takes seconds

_BLOCK = 32768
_HEAD = 7
_WHOLE, _LAST = 1, 4


def records(path: Path) -> Iterator[Any]:
    from wandb.proto import wandb_internal_pb2

    data, at, whole = path.read_bytes(), _HEAD, b""
    assert data[:4] == b":W&B"
    while at < len(data):
        left = _BLOCK - at % _BLOCK
        head = data[at : at + _HEAD]
        _, size, kind = struct.unpack("<IHB", head) if left >= len(head) == _HEAD else (0, 0, 0)
        if kind == 0:  # what is left of a block is filled up
            at += left
            continue
        whole += data[at + _HEAD : at + _HEAD + size]
        at += _HEAD + size
        if kind in {_WHOLE, _LAST} and at <= len(data):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(whole)
            whole = b""
            yield record


def updated(items: Any) -> dict[str, Any]:
    return {one.key or "/".join(one.nested_key): json.loads(one.value_json) for one in items}


def seen_in(run: Path) -> tuple[str, dict[str, Any]]:
    """The step, and what is told of it, of one folder of an offline run."""
    (file,) = run.glob("*.wandb")
    until = time.monotonic() + 30
    while "exit" not in (kinds := [record.WhichOneof("record_type") for record in records(file)]):
        assert time.monotonic() < until, f"{file} has no end: {kinds}"  # another process writes it
        time.sleep(0.05)
    told: dict[str, Any] = {"config": {}, "summary": {}, "curves": {}, "tables": {}, "files": [], "pictures": 0}
    for record in records(file):
        match record.WhichOneof("record_type"):
            case "run":
                told["run"] = record.run
            case "config":
                told["config"] |= updated(record.config.update)
            case "summary":
                told["summary"] |= updated(record.summary.update)
            case "history":
                row = updated(record.history.item)
                for name, value in row.items():
                    if "optimizer_step" in row and not name.startswith("_") and _is_number(value):
                        told["curves"].setdefault(name, []).append((row["optimizer_step"], float(value)))
            case "artifact" if record.artifact.type == "outcome":
                told["files"] += [entry.path for entry in record.artifact.manifest.contents]
    for path in (run / "files" / "media").rglob("*.table.json"):
        table = json.loads(path.read_text())
        rows = [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
        told["tables"][path.name.partition("_")[0]] = json.dumps(rows, ensure_ascii=False)
    told["pictures"] = len(list((run / "files" / "media").rglob("*.png")))
    return told["run"].display_name, told


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    for name in ("WANDB_DATA_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "wandb-home"))


class TestWandb(TrackerContract):
    def tracker(self, folder: Path) -> WandbTracker:
        return WandbTracker(folder=folder)

    def read(self, folder: Path) -> Mapping[str, Seen]:
        seen: dict[str, Seen] = {}
        runs: dict[str, dict[str, Any]] = {}
        for path in sorted(folder.glob("wandb/offline-run-*"), key=lambda path: path.stat().st_mtime_ns):
            step, told = seen_in(path)
            before = runs.get(step, {})  # one run, written in two goes: W&B adds what is new when it is sent
            runs[step] = {
                name: {**before.get(name, {}), **value} if isinstance(value, dict) else value
                for name, value in told.items()
            }
        for step, told in runs.items():
            numbers = {name: float(value) for name, value in told["summary"].items() if _is_number(value)}
            seen[step] = Seen(
                parameters=told["config"],
                metrics=numbers,
                curves=told["curves"],
                verdicts=told["tables"]["verdicts"],
                findings=told["tables"].get("findings", ""),
                state=told["summary"]["art.state"],
                tags=told["config"],
                files=told["files"],
                pictures=told["pictures"],
            )
        return seen


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def test_where_nobody_is_logged_in_it_writes_offline_and_says_so_once(world, tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("WANDB_MODE")
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = world.run_any(WandbTracker(folder=tmp_path), Trains(name="a"), Trains(name="b"))
    told = [str(one.message) for one in caught if "tracker" in str(one.message)]
    assert len(told) == 1
    assert told[0].startswith("nobody is logged in to W&B, so that the tracker 'wandb' writes offline; `wandb login`")
    (line,) = [
        line for line in world.store.log(result["a"].run.id) if "mirrored by wandb: offline; wandb sync " in line
    ]
    assert Path(line.rpartition("wandb sync ")[2]).is_dir()
