"""Exporting a result: its modules in one archive, loaded again in a new process, which must predict the same."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from art_training.checks.export import NEEDS
from art_training.errors import SetupError, Unfinished
from art_training.records import Artifact, Finding, Plain, Reading, Score, Severity, Split
from art_training.setup.observation import BatchObservation
from art_training.steps.bench import Bench
from art_training.steps.squeezing.contenders import Contender, Trained, parts
from art_training.steps.squeezing.names import DIFFERENCE

if TYPE_CHECKING:
    from torch import Tensor

    from art_training.exported.member import Call
    from art_training.exported.model import ExportedModel, Part

ARCHIVE = "model.zip"
_TOLERANCE = 1e-4  # between what the engine and what a module by itself predicts, when it is found out how to ask it


@dataclass(frozen=True)
class Asked:
    """How models of a setup are asked outside of the engine.

    Attributes:
        batches: the first ones of the validation split as they enter the model, on the CPU; without their targets where
            those are not needed.
        call: how `forward` gives the predictions; None: the model's own step does, on whole batches.
        why: why they cannot be asked at all, in one sentence; empty where they can.
        needs: where the targets stand in a batch, if the models predict of none without them; else empty.
    """

    batches: tuple[Any, ...] = ()
    call: "Call | None" = None
    why: str = ""
    needs: str = ""


def find_call(bench: Bench, one: Trained, batches: int) -> Asked:
    """Find out how a model gives, by itself, what it gave in the engine: each way is tried on the first batch.

    Who predicts has no targets, so that every way is tried without them first.
    """
    from art_training.exported.member import load, make, parts_of, untargeted
    from art_training.setup.data.batch import detached
    from art_training.setup.scores.outputs import read_outputs

    seen: list[BatchObservation] = []
    bench.observe(Split.VALIDATION, see=seen.append, setup=one.setup, weights=one.weights, seed=one.seed, limit=batches)
    kept = tuple(detached(observation.batch) for observation in seen)
    outputs = read_outputs(seen[0], bench.task, one.setup.outputs)
    if outputs.predictions is None:
        return Asked(kept, why=f"no predictions were found: {outputs.source}")
    wanted = outputs.predictions.cpu()
    try:
        module = load(make(*parts_of(one.setup)), bench.engine.weights(one.weights))
    except SetupError as error:
        return Asked(kept, why=str(error))
    bare = tuple(untargeted(batch, bench.task)[0] for batch in kept)
    path = untargeted(kept[0], bench.task)[1]
    asked = _tried(bench, one, module, seen[0], bare, wanted)
    if not asked.why or not path:
        return asked
    return replace(_tried(bench, one, module, seen[0], kept, wanted), needs=path)


def _tried(  # noqa: PLR0917  Each is another part of one question.
    bench: Bench, one: Trained, module: Any, seen: BatchObservation, batches: tuple[Any, ...], wanted: "Tensor"
) -> Asked:
    """The first way that gives what is wanted of the first of these batches."""
    from art_training.exported.member import by_step, calls_of

    for call in calls_of(one.setup, module, seen.batch, bench.task):
        if _gives(call, module, seen, batches[0], wanted):
            return Asked(batches, call)
    try:
        if _near(by_step(module, batches[0], bench.task, one.setup.outputs), wanted):
            return Asked(batches)
        why = "what its step predicts by itself is not what it predicted in the training's surroundings"
    except SetupError as error:
        why = str(error)
    return Asked(batches, why=why)


def usable(bench: Bench, contender: Contender, asked: Asked, temperature: float = 1.0) -> "ExportedModel | None":
    """A contender as a module of this process; None where models cannot be asked outside of the engine."""
    from art_training.exported.model import of_parts

    if asked.why:
        return None
    outputs = contender.parts[0][0].setup.outputs
    return of_parts(parts(bench, contender), bench.task, temperature=temperature, call=asked.call, outputs=outputs)


@dataclass(frozen=True)
class Exported:
    """What came of an export."""

    artifacts: tuple[Artifact, ...] = ()
    scores: Mapping[str, Score] = field(default_factory=dict[str, Score])
    readings: tuple[Reading, ...] = ()
    findings: tuple[Finding, ...] = ()


def export_result(bench: Bench, contender: Contender, asked: Asked, temperature: float) -> Exported:
    """Write the archive and verify it.

    Args:
        bench: keeps the archive.
        contender: what is exported.
        asked: how it is asked.
        temperature: of the result.

    Raises:
        Unfinished: the new process did not come so far as to predict, which tells nothing of the export: it took too long,
            could not import what the model is made of, or met a file that runs a project as it is imported.
    """
    from art_training.exported.encoding import NotRebuilt
    from art_training.exported.model import export
    from art_training.exported.verify import Verified, verify

    if asked.why:
        reading = Reading("export", None, note=f"not exported: {asked.why}")
        return Exported(
            scores={}, readings=(reading,), findings=(_finding(f"the result was not exported: {asked.why}"),)
        )
    own = parts(bench, contender)
    first = contender.parts[0][0].setup
    path = bench.folder / ARCHIVE
    bench.say("export")
    why = export(
        path,
        own,
        first,
        bench.task,
        temperature=temperature,
        call=asked.call,
        batch=asked.batches[0],
        versions=_versions(),
    )
    note = "model.json and model.safetensors, for art.load_model"
    artifact = bench.keep(path, name=ARCHIVE, kind="other", note=note)
    model = usable(bench, contender, asked, temperature)
    assert model is not None
    expected = model(asked.batches[0])
    bench.say("load the export in a new process")
    findings: list[Finding] = []
    if why:
        found = _here(path, own, asked.batches[0], expected, why)
        findings.append(_finding(f"no other process can make the exported model again: {why}"))
    else:
        try:
            found = verify(path, asked.batches[0], expected, bench.folder)
        except NotRebuilt as error:
            found = Verified(None, str(error))
        if found.unanswered:
            raise Unfinished(
                f"whether the export predicts what the model does is not known, as it was not loaded: {found.why}; the next "
                "run trains nothing again and tries once more, or give export=False"
            )
    where = "in this process, by its own factory" if why else "in a new process"
    scores: dict[str, Score] = {}
    if found.difference is not None:
        told = f"largest distance of two predictions of {len(expected)} rows, loaded {where}"
        scores[DIFFERENCE] = Score(found.difference, None, len(expected), "minimize", where, told)
    else:
        findings.append(_finding(f"that the export predicts what the model does was not shown: {found.why}"))
    described: dict[str, Plain] = {"bytes": artifact.bytes, "members": len(own), "asked by": _way(asked)}
    if asked.needs:
        described[NEEDS] = asked.needs
        findings.append(_needs_targets(asked.needs))
    readings = (
        Reading("export", described, note=found.why or where),
        Reading("seconds to load the export", round(found.seconds, 2), "seconds", "imports included"),
    )
    return Exported((artifact,), scores, readings, tuple(findings))


def _here(path: Any, own: "Sequence[Part]", batch: Any, expected: "Tensor", why: str) -> Any:
    """The archive loaded by who has the factory at hand."""
    import time

    from art_training.exported.model import load_model
    from art_training.exported.verify import Verified

    began = time.monotonic()
    made = iter(own)

    def factory(**_: Any) -> Any:
        part = next(made)
        return part.factory(**part.hparams)

    try:
        loaded = load_model(path, factory=factory)
    except SetupError as error:
        return Verified(None, str(error))
    seconds = time.monotonic() - began
    difference = float((loaded(batch).double() - expected.double()).abs().max())
    return Verified(difference, why, seconds)


def _versions() -> dict[str, str]:
    """Of what the model was made with."""
    import platform
    from importlib.metadata import version

    from art_training import __version__

    found = {name: version(name) for name in ("torch", "safetensors", "numpy")}
    return {"python": platform.python_version(), "art-training": __version__, **found}


def _way(asked: Asked) -> str:
    if asked.call is None:
        return "its step, with whole batches"
    if not asked.call.whole:
        return "forward, with the inputs"
    return "forward, with whole batches" if asked.needs else "forward, with batches that need no targets"


def _gives(call: "Call", module: Any, observation: BatchObservation, batch: Any, wanted: "Tensor") -> bool:
    import torch

    from art_training.setup.scores.alignment import Raw, aligned
    from art_training.setup.scores.step_loss import main_call

    try:
        # What a wrong guess makes the user's code warn of, such as a tensor that is indexed like a dictionary, is not its
        # own; where warnings are errors, one of its own must not make the right guess a wrong one.
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = call(module, batch)
            if found.shape == wanted.shape:
                return _near(found, wanted)
            loss = main_call(observation, None)
            if loss is None:
                return False
            ignore = loss.options.get("ignore_index")
            # Whether positions of a mask are decisions of their own is told by what makes probabilities of scores.
            scores = replace(call, activation="none")(module, batch)
            last = call.classes == -1
            raw = Raw(scores, loss.target.cpu(), call.activation, classes_last=last, ignore_index=ignore)
            return _near(aligned(raw, observation.weight).predictions, wanted)
    except Exception:  # noqa: BLE001  One of several ways to call the user's code; another may fit.
        return False


def _near(found: "Tensor", wanted: "Tensor") -> bool:
    import torch

    return found.shape == wanted.shape and torch.allclose(
        found.double(), wanted.double(), rtol=_TOLERANCE, atol=_TOLERANCE
    )


def _needs_targets(path: str) -> Finding:
    return Finding(
        code="ART753",
        category="checkpoint",
        severity=Severity.WARNING,
        message=f"the export needs the targets: it predicts of no batch without batch[{path!r}], and of new data nobody has it",
        evidence={"target": path},
        remedy="define forward so that it gives the predictions without the targets, and let the steps call self",
    )


def _finding(message: str) -> Finding:
    return Finding(
        code="ART751",
        category="checkpoint",
        severity=Severity.WARNING,
        message=message,
        remedy="let the model be made by a class or a function at the top of a module, with plain hyper-parameters",
    )
