"""What an execution of a step leaves for the one that goes on after a kill, and how that one takes it up."""

import json
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

from art_training.engines import FitResult
from art_training.errors import ProjectError
from art_training.records import Finding, Plain, Severity, plain
from art_training.runner.curves import CurveWriter
from art_training.stores import Store
from art_training.stores.artifacts import file_digest
from art_training.stores.workspaces import file_name, recall, remembered

_LABELS = "labels of trainings"


class Resumption:
    """A step's trainings by their labels, with their checkpoints, and its small values; they outlive the process.

    A file counts only if it still is the very file that was noted. It is noted by where it lies in the store's
    workspace, so that whoever goes on finds it though the store was moved.
    """

    def __init__(
        self, *, step: str, folder: Path, memory: Path, store: Store, curves: CurveWriter, resumed: str = ""
    ) -> None:
        """Look at what there may be.

        Args:
            step: the step's name.
            folder: where its trainings write.
            memory: where its small values lie.
            store: that remembers which files there are.
            curves: of this execution.
            resumed: the run that this execution goes on from, whose curves are taken over.
        """
        self._step = step
        self._folder = folder
        self._memory = memory
        self._store = store
        self._curves = curves
        self._resumed = resumed
        self._begun: set[str] = set()
        self._before: dict[str, float] = {}  # by label: what a training took before this execution
        self._taken_up: dict[str, float] = {}

    def begin(self, label: str) -> None:
        """Note that a training of this label begins.

        Raises:
            ProjectError: this execution had one already.
        """
        if label in self._begun:
            raise ProjectError(
                f"step {self._step!r} trains twice under the label {label!r}; give each its own: fit(label=...)"
            )
        self._begun.add(label)
        known = self._known_labels()
        if label and label not in known:
            self.remember(_LABELS, [*known, label])

    def finished(self, label: str) -> FitResult | None:
        """The result of a training that had come to its end, with its curves taken over; None where there is none."""
        kept = self._store.memo(f"{self._key(label)}:result")
        if not isinstance(kept, dict) or not isinstance(kept.get("files"), dict):
            return None
        files = {name: self._file(noted) for name, noted in cast("dict[str, Any]", kept["files"]).items()}
        if None in files.values():
            return None
        values: dict[str, Any] = {name: value for name, value in kept.items() if name != "files"}
        values["findings"] = tuple(
            Finding(**found | {"severity": Severity(found["severity"])}) for found in values["findings"]
        )
        values |= files
        result = FitResult(**values)
        self._inherit(label, result.steps)
        return result

    def take_up(self, label: str) -> tuple[Path, Path | None]:
        """The folder of a training, and the checkpoint to go on from; without one the folder is empty."""
        folder = self._folder_of(label)
        kept = self._store.memo(f"{self._key(label)}:checkpoint")
        checkpoint = self._file(kept.get("file")) if isinstance(kept, dict) else None
        if checkpoint is None:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            noted = cast("dict[str, Any]", kept)
            self._before[label] = float(noted.get("seconds", 0.0))
            self._inherit(label, noted["step"])
        folder.mkdir(parents=True, exist_ok=True)
        self._taken_up[label] = time.monotonic()
        return folder, checkpoint

    def note_checkpoint(self, label: str, checkpoint: Path, step: int) -> None:
        """Note what a training can go on from, after how many optimiser steps it is, and how long these took."""
        took = self._before.get(label, 0.0) + time.monotonic() - self._taken_up[label]
        noted = {"file": self._noted(checkpoint), "step": step, "seconds": took}
        self._store.remember(f"{self._key(label)}:checkpoint", plain(noted))

    def seconds_before(self, label: str) -> float:
        """How long a training took up to the checkpoint that it went on from; 0 where it began anew."""
        return self._before.get(label, 0.0)

    def note_finished(self, label: str, result: FitResult) -> None:
        """Note what a training gave, with the files that it left."""
        values = {item.name: getattr(result, item.name) for item in fields(result)}
        files = {name: self._noted(path) for name in ("last", "best") if (path := values.pop(name)) is not None}
        self._store.remember(f"{self._key(label)}:result", plain(values | {"files": files}))

    def discard(self, label: str) -> None:
        """Delete the files that a training left."""
        shutil.rmtree(self._folder_of(label), ignore_errors=True)

    def remember(self, key: str, value: Plain) -> None:
        """Remember a small value, durably."""
        # A file each, not a row of the store: nothing is forgotten to make room.
        path = remembered(self._memory, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        with unfinished.open("w") as file:
            json.dump(plain(value), file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)

    def recall(self, key: str) -> Plain:
        """What was remembered; None where there is nothing."""
        return recall(self._memory, key)

    def _inherit(self, label: str, until: int) -> None:
        if self._resumed:
            self._curves.inherit(self._resumed, label=label, until=until, others=self._known_labels())

    def _known_labels(self) -> list[str]:
        """Labels of this step's trainings, of those too that an execution began which was broken off."""
        known = self.recall(_LABELS)
        return [str(label) for label in known] if isinstance(known, list) else []

    def _folder_of(self, label: str) -> Path:
        return self._folder / f"fit-{file_name(label)}"

    def _key(self, label: str) -> str:
        return f"fit:{self._address(self._folder_of(label))}"

    def _address(self, path: Path) -> str:
        workspace = self._store.workspace
        return str(path.relative_to(workspace) if path.is_relative_to(workspace) else path)

    def _noted(self, path: Path) -> dict[str, str]:
        return {"address": self._address(path), "digest": file_digest(path)[0]}

    def _file(self, noted: Any) -> Path | None:
        """The file that was noted; None where it is gone or another one."""
        if not isinstance(noted, Mapping):
            return None
        values = cast("Mapping[str, str]", noted)
        path = self._store.workspace / values["address"]  # an address from the root stays what it is
        return path if path.is_file() and file_digest(path)[0] == values["digest"] else None
