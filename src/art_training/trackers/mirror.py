"""From events to what a tracker is told. Whatever a tracker raises is noted, and the rest is told all the same."""

import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from art_training.errors import ARTError, MissingExtra
from art_training.records import Artifact, CurvesGrew, Event, LayerCurve, Outcome, RunRecord, StepEnded, StepStarted
from art_training.setup.identity.secrets import mask
from art_training.trackers.contents import (
    files_table,
    findings_table,
    flat,
    note_of,
    numbers_of,
    scores_table,
    standing,
    tags_of,
    verdicts_table,
)
from art_training.trackers.tracker import TrackedPoint, TrackedRun, Tracker, Writer, slug


@dataclass(frozen=True)
class Kept:
    """What a mirror needs of the store.

    Attributes:
        fetch: gives a readable file by the digest of its bytes.
        log: the lines of a run's log, by its id.
        say: adds a line to it.
    """

    fetch: Callable[[str], Path]
    log: Callable[[str], Sequence[str]]
    say: Callable[[str, str], None]


@dataclass
class Mirror:
    """Tells one tracker what happens. Belongs to one thread.

    A step that was executed is told in full: parameters and tags when it begins, curves while it trains, and the rest when
    it has ended, whether well or not. Where it was mirrored is noted in the log of the run. A step that was recalled is told
    nothing if its log says that this tracker has it; only where its stored outcome was judged anew and came out differently
    are its scores, verdicts, findings and state told again, to the run that is there. If its log does not say so, because the
    tracker is new to the project or could not be reached, it is told in full from what is stored.

    Attributes:
        tracker: that is told.
        kept: of the store.
        problems: sentences about what went wrong, for whoever runs the project; whoever reads them takes them away.
    """

    tracker: Tracker
    kept: Kept
    problems: list[str] = field(default_factory=list[str])
    _writer: Writer | None = None
    _step: str = ""
    _curves: set[str] = field(default_factory=set[str])
    _failed: dict[str, str] = field(default_factory=dict[str, str])  # what could not be told, and why
    _missing: bool = False
    _cautions: set[str] = field(default_factory=set[str])

    def tell(self, event: Event) -> None:
        """Tell one event."""
        match event:
            case StepStarted(run=run):
                self._start(run)
            case CurvesGrew(points=points):
                self._grow([TrackedPoint(*point) for point in points])
            case StepEnded(recalled=False):
                self._end(event)
            case StepEnded(outcome=Outcome()) if not self._has(event.run):
                self._start(event.run)
                self._end(event)
            case StepEnded(judged_again=True):
                self._start(event.run, again=True)
                self._end(event, anew=True)
            case _:
                pass

    def _has(self, run: RunRecord) -> bool:
        begin = f"mirrored by {self.tracker.name}"
        with suppress(ARTError):
            return any(begin in line for line in self.kept.log(run.id))
        return True  # of a store that cannot be read, whoever needs it tells

    def _start(self, run: RunRecord, *, again: bool = False) -> None:
        self._writer, self._step, self._failed = None, run.step, {}
        self._curves.clear()
        if self._missing:
            return
        tracked = TrackedRun(run.id, run.project, run.step, run.kind, tags_of(run), again)
        try:
            self._writer = self.tracker.start(tracked)
        except MissingExtra as error:
            self._missing = True  # said once: it is missing for the steps to come, too
            self.problems.append(f"the tracker {self.tracker.name!r} mirrors nothing: {error}")
            return
        except Exception as error:  # noqa: BLE001  Whatever a tracker raises must not hurt the run.
            self.problems.append(
                f"the tracker {self.tracker.name!r} could not begin to mirror step {run.step!r}: {_told(error)}"
            )
            return
        if self._writer.caution and self._writer.caution not in self._cautions:
            self._cautions.add(self._writer.caution)
            self.problems.append(self._writer.caution)
        self._try("parameters", lambda to: to.parameters(flat(run.parameters)))
        self._try("tags", lambda to: to.tags(tracked.tags))

    def _grow(self, points: Sequence[TrackedPoint]) -> None:
        """Those of single layers are left out: they are many, and the store has them."""
        kept = [point for point in points if LayerCurve.parse(point.name) is None]
        self._curves.update(point.name for point in kept)
        if kept:
            self._try("curves", lambda to: to.points(kept))

    def _end(self, event: StepEnded, *, anew: bool = False) -> None:
        run, outcome = event.run, event.outcome
        verdicts = event.judgement.verdicts if event.judgement else ()
        if outcome is not None:
            self._outcome(outcome, anew=anew)
        self._try("verdicts", lambda to: to.table(verdicts_table(verdicts)))
        self._try("tags", lambda to: to.tags(standing(run.state, outcome, verdicts)))
        self._try("note", lambda to: to.note(note_of(run, outcome, event.judgement)))
        self._try("its end", lambda to: to.end(run.state))
        if self._writer is not None:
            told = f"mirrored by {self.tracker.name}{', in part' if self._failed else ''}: {mask(self._writer.where)}"
            with suppress(ARTError):  # a store that fails is told by whoever needs it
                self.kept.say(run.id, told.removesuffix(": "))
        self._writer = None
        self._report()

    def _outcome(self, outcome: Outcome, *, anew: bool) -> None:
        self._try("metrics", lambda to: to.metrics(numbers_of(outcome)))
        self._try("findings", lambda to: to.table(findings_table(outcome.findings)))
        self._try("scores", lambda to: to.table(scores_table(outcome)))
        if anew:
            return
        self._try("parameters", lambda to: to.parameters(flat({"outcome": dict(outcome.parameters)})))
        untold = {name: curve for name, curve in outcome.curves.items() if name not in self._curves}
        self._grow(
            [
                TrackedPoint(name, step, epoch, value)
                for name, curve in untold.items()
                for step, value, epoch in zip(
                    curve.steps, curve.values, curve.epochs or (0,) * len(curve.steps), strict=True
                )
            ]
        )
        self._files(outcome.artifacts)

    def _files(self, artifacts: Sequence[Artifact]) -> None:
        sent: list[str] = []
        for one in artifacts:
            if one.kind in self.tracker.files:
                self._try(f"the file {one.name}", lambda to, one=one: self._file(to, one, sent))
        if artifacts:
            self._try("the list of files", lambda to: to.table(files_table(artifacts, sent)))

    def _file(self, to: Writer, artifact: Artifact, sent: list[str]) -> None:
        with TemporaryDirectory(prefix="art-") as folder:  # the store knows files by their digests alone
            path = Path(shutil.copyfile(self.kept.fetch(artifact.digest), Path(folder) / slug(artifact.name)))
            is_there = (
                to.figure(path.name, path, mask(artifact.note))
                if artifact.kind == "figure"
                else to.file(path.name, path, artifact.kind)
            )
        if is_there:
            sent.append(artifact.name)

    def _try(self, what: str, tell: Callable[[Writer], None]) -> None:
        if self._writer is None:
            return
        try:
            tell(self._writer)
        except Exception as error:  # noqa: BLE001  Whatever a tracker raises must not hurt the run.
            self._failed.setdefault(what, _told(error))

    def _report(self) -> None:
        """One sentence a step, however much failed."""
        if not self._failed:
            return
        reasons = "; ".join(dict.fromkeys(self._failed.values()))
        self.problems.append(
            f"the tracker {self.tracker.name!r} could not mirror {', '.join(self._failed)} of step {self._step!r}: "
            f"{reasons}; the run and its record are whole"
        )


def _told(error: Exception) -> str:
    text = " ".join(str(error).split())
    return mask(f"{type(error).__name__}: {text}" if text else type(error).__name__)[:500]
