"""Weights & Biases.

The project of W&B is ART's unless another is given, and every run stands in a group of ART's project with the step as its
type of job: whoever opens it compares the attempts at one step, and finds all steps of a project together where a team
keeps several projects in one of W&B's. Scores are the summary of a run, beside the curves of the same names.
"""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from art_training.records import StepState
from art_training.trackers.contents import STATE
from art_training.trackers.tracker import Leaf, Table, TrackedPoint, TrackedRun, Tracker, Writer, require, slug

_STEP = "optimizer_step"
_CONTROL = r"[\x00-\x1f]"
_PICTURES = {".png", ".jpg", ".jpeg", ".bmp", ".gif"}
_LONGEST_TAG = 64


@dataclass(frozen=True)
class WandbTracker(Tracker):
    """Mirrors runs to Weights & Biases; extra `wandb`.

    Where nobody is logged in it writes offline and says so: `wandb sync` sends it later. Its own look at the command line,
    the code, the git repository and the console is switched off, since secrets in them would not be masked.

    Attributes:
        project: of W&B; None: the project's name.
        entity: the user or team; None: the default of whoever is logged in.
        mode: `online` or `offline`; None: WANDB_MODE, or else online where somebody is logged in.
        folder: where it keeps its files; None: WANDB_DIR, or else `wandb/` in the working directory.
    """

    project: str | None = None
    entity: str | None = None
    mode: Literal["online", "offline"] | None = None
    folder: Path | str | None = None

    name: ClassVar[str] = "wandb"

    def start(self, run: TrackedRun) -> Writer:
        wandb = require("wandb", "wandb")
        mode, caution = self.mode or os.environ.get("WANDB_MODE"), ""
        if mode is None and not wandb.login(prompt=False):
            mode = "offline"
            caution = (
                "nobody is logged in to W&B, so that the tracker 'wandb' writes offline; `wandb login` and then `wandb sync` with "
                "the folder that `art log` names send it, and WandbTracker(mode='offline') is content with it"
            )
        opened = wandb.init(
            project=slug(self.project or run.project, r"[/\\#?%:\x00-\x1f]"),
            entity=self.entity,
            dir=self.folder,
            mode=mode,
            id=run.id,
            name=run.step,
            group=slug(run.project, _CONTROL),
            job_type=slug(run.step, _CONTROL, longest=64),
            resume="allow",
            reinit="create_new",  # whatever run the user has open stays as it is
            settings=wandb.Settings(
                silent=True,
                console="off",
                disable_git=True,
                save_code=False,
                x_disable_meta=True,
                init_timeout=max(1.0, self.patience_seconds),
                finish_timeout=max(1.0, self.patience_seconds),
            ),
        )
        opened.define_metric(_STEP, hidden=True)
        opened.define_metric("*", step_metric=_STEP)
        return _WandbWriter(wandb, opened, run, caution)


class _WandbWriter(Writer):
    def __init__(self, wandb: Any, run: Any, tracked: TrackedRun, caution: str) -> None:
        self._wandb = wandb
        self._run = run
        self._tracked = tracked
        self._files = wandb.Artifact(slug(f"{tracked.project}-{tracked.step}", r"[^A-Za-z0-9_.\-]"), type="outcome")
        self._has_files = False
        self.caution = caution
        self.where = f"offline; wandb sync {Path(run.dir).parent}" if run.offline else run.url or ""

    def parameters(self, values: Mapping[str, Leaf]) -> None:
        self._run.config.update(dict(values), allow_val_change=True)

    def metrics(self, values: Mapping[str, float]) -> None:
        """NaN by its name: as a number a summary drops it."""
        self._run.summary.update({name: "NaN" if math.isnan(value) else value for name, value in values.items()})

    def points(self, points: Sequence[TrackedPoint]) -> None:
        rows: dict[int, dict[str, float]] = {}
        for point in points:
            rows.setdefault(point.step, {})[point.name] = point.value
        for step, row in sorted(rows.items()):
            self._run.log({**row, _STEP: step})

    def table(self, table: Table) -> None:
        rows = [list(row) for row in table.rows]
        self._run.log({table.name: self._wandb.Table(list(table.columns), rows, allow_mixed_types=True)})

    def figure(self, name: str, path: Path, note: str) -> bool:
        if path.suffix.lower() not in _PICTURES:
            return self.file(name, path, "figure")
        self._run.log({f"figures/{path.stem}": self._wandb.Image(str(path), caption=note or None)})
        return True

    def file(self, name: str, path: Path, kind: str) -> bool:
        self._files.add_file(str(path), name=f"{kind}/{name}")  # copied at once
        self._has_files = True
        return True

    def tags(self, values: Mapping[str, str]) -> None:
        self._run.config.update(dict(values), allow_val_change=True)
        self._run.summary.update({name: value for name, value in values.items() if name == STATE})
        state = [values[STATE]] if STATE in values else []
        found = [*state, self._tracked.kind, *values.get("art.codes", "").split()]
        self._run.tags = tuple(dict.fromkeys(tag[:_LONGEST_TAG] for tag in found))

    def note(self, text: str) -> None:
        self._run.notes = text

    def end(self, state: StepState) -> None:
        if self._has_files:
            self._run.log_artifact(self._files)
        self._run.finish(exit_code=int(state in {StepState.ERRORED, StepState.INTERRUPTED}))
