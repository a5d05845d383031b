"""Whether a file, or a run, is the very thing that a project's record is about."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from art_training.errors import UsageError
from art_training.records import Artifact, Split, StepState
from art_training.standards import Record, StepRecord, Subject
from art_training.steps.delivering.delivery import delivered
from art_training.stores import Store

_TEST = "FinalTest"
_EXPORT = "model.zip"  # what Squeeze exports is the model that it delivers
_SHOWN = 12  # digits of a digest in a sentence
_CHUNK_BYTES = 1 << 20


class Left(NamedTuple):
    """A file that some run of a store left."""

    project: str
    run: str
    step: str
    artifact: Artifact


def subject_of(store: Store, record: Record, given: str | Path) -> Subject:
    """What is verified, and whether the record is about it.

    Args:
        store: that the record was read from.
        record: of the project, without a subject.
        given: a file, or the id of a run.

    Raises:
        UsageError: the file cannot be read.
    """
    return _run(store, record, given) if isinstance(given, str) else _file(store, record, given)


def delivering(record: Record) -> tuple[StepRecord, tuple[str, ...]] | None:
    """The step that delivers the project's model, and the names of the files that are the model.

    A final test says which it judged: weights of its own, or those of the step that it names, else of the last one before it
    that scored its weights on validation. Without one it is the last step that did so, else the last that left weights.
    """
    test = next((one for one in reversed(record.steps) if one.kind == _TEST and one.outcome is not None), None)
    before = record.steps if test is None else record.steps[: record.steps.index(test)]
    ran = [one for one in before if one.outcome is not None and one.state is not StepState.NOT_RUN and _files(one)]
    named = test.declared.get("step.of") if test else None
    validated = [one for one in ran if _validated(one)]
    if test is not None and _files(test):
        found = test
    elif named:
        found = next((one for one in ran if one.step == named), None)
    else:
        found = (validated or ([] if test else ran) or [None])[-1]
    return None if found is None else (found, _files(found))


def digest_of(path: Path) -> tuple[str, int]:
    """SHA-256 of a file's bytes, in hexadecimal, and how many they are.

    Raises:
        UsageError: it cannot be read.
    """
    found, size = hashlib.sha256(), 0
    try:
        with path.open("rb") as opened:
            while chunk := opened.read(_CHUNK_BYTES):
                found.update(chunk)
                size += len(chunk)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}; give a file that can") from None
    return found.hexdigest(), size


class _Looked(NamedTuple):
    """A file beside what the store knows.

    Attributes:
        path: of the file.
        digest: of its bytes.
        named: files that are called so, or have these bytes, oldest first.
        same: those with these bytes.
        mine: those of them that the project left.
        step: that delivers the project's model.
        files: the names of the files that are that model.
    """

    path: Path
    digest: str
    named: Sequence[Left]
    same: Sequence[Left]
    mine: Sequence[Left]
    step: StepRecord | None
    files: Sequence[str]

    @property
    def stands(self) -> str:
        """The run that delivers; empty where none does."""
        return self.step.run.id if self.step and self.step.run else ""


def _file(store: Store, record: Record, path: Path) -> Subject:
    digest, size = digest_of(path)
    named = list(_left(store, digest, path.name))
    same = [one for one in named if one.artifact.digest == digest]
    mine = [one for one in same if one.project == record.project]
    looked = _Looked(path, digest, named, same, mine, *(delivering(record) or (None, ())))
    this = next((one for one in mine if one.run == looked.stands and one.artifact.name in looked.files), None)
    whose = this or (mine[-1] if mine else None)
    return Subject(
        given=str(path),
        digest=digest,
        bytes=size,
        artifact=whose.artifact.name if whose else "",
        run=whose.run if whose else "",
        step=whose.step if whose else "",
        refused="" if this else _refused(record, looked),
        told=_whole(whose, looked.files) if whose else "",
    )


def _refused(record: Record, looked: _Looked) -> str:
    """Why a file is not the model that the project delivers."""
    what = f"{looked.path} (SHA-256 {looked.digest[:_SHOWN]}...)"
    if not looked.same:
        return f"{what} is no file that a run in {record.store} left{_changed(record, looked)}"
    if not looked.mine:
        other = looked.same[0]
        of = f"{other.artifact.name} of {other.step} of another project, {other.project!r}"
        return f"{what} is {of}, and not of {record.project!r}"
    one, step = looked.mine[-1], looked.step
    if step and step.step == one.step and looked.stands != one.run and one.artifact.name in looked.files:
        of = f"{one.artifact.name} of another run of {one.step}, {one.run}"
        return f"{what} is {of}; the project stands on {looked.stands} by now"
    due = f"{', '.join(looked.files)} of {step.step}" if step else "nothing: no step left weights"
    return f"{what} is {one.artifact.name} of {one.step} ({one.run}); what the project delivers is {due}"


def _changed(record: Record, looked: _Looked) -> str:
    """What a file was that has other bytes by now: kept files are named by their digest, others as the run named them."""
    kept = next((one for one in looked.named if one.artifact.digest == looked.path.name), None)
    alike = [one for one in looked.named if one.project == record.project]
    ours = [one for one in alike if one.run == looked.stands]
    was = kept or next(iter(reversed(ours or alike)), None)
    if was is None:
        return "; it is of another store, or was made by something else"
    return (
        f"; {was.artifact.name} of {was.step} has SHA-256 {was.artifact.digest[:_SHOWN]}... there, so that the file was changed "
        "since, or is another"
    )


def _run(store: Store, record: Record, run: str) -> Subject:
    found = store.run(run)
    if found is None:
        raise UsageError(f"there is no run {run!r} in {store.location}; `art runs` lists those that there are")
    refused = ""
    standing = next((one for one in record.steps if one.run and one.run.id == run), None)
    if found.project != record.project:
        refused = f"run {run} is of {found.step} of another project, {found.project!r}, and not of {record.project!r}"
    elif standing is None:
        now = next((one.run.id for one in record.steps if one.step == found.step and one.run), "")
        where = f"that step stands on {now}" if now else "the project has no such step any more"
        refused = f"run {run} of {found.step} is not one that the record is about; {where}"
    told = f"the run on which {found.step} stands"
    return Subject(given=run, run=run, step=found.step, refused=refused, told=told)


def _left(store: Store, digest: str, name: str) -> Iterator[Left]:
    """The files that runs left and that have these bytes, or are called so, by name or by digest; oldest runs first."""
    for run, artifacts in sorted(store.used().items()):
        alike = [one for one in artifacts if one.digest in {digest, name} or Path(one.name).name == name]
        record = store.run(run) if alike else None
        if record is not None:
            yield from (Left(record.project, run, record.step, one) for one in alike)


def _whole(one: Left, files: Sequence[str]) -> str:
    beside = [name for name in files if name not in {one.artifact.name, _EXPORT}]
    many = f", one of {len(beside) + 1} files that make it" if beside and one.artifact.name != _EXPORT else ""
    return f"{one.artifact.name} of {one.step}, the model that the project delivers{many}"


def _files(step: StepRecord) -> tuple[str, ...]:
    """The names of the files that are the model which a step delivers."""
    delivery = delivered(step.outcome) if step.outcome else None
    if delivery is None or step.outcome is None:
        return ()
    names = (*(one.artifact for one in delivery.members), _EXPORT)
    return tuple(name for name in names if step.outcome.artifact(name) is not None)


def _validated(step: StepRecord) -> bool:
    place = f"{Split.VALIDATION}/"
    return step.outcome is not None and any(name.startswith(place) for name in step.outcome.scores)
