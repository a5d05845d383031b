"""TransferLearning: what was learned elsewhere is kept, a new head is trained on it, and then both together."""

import functools
import glob
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, cast

from art_training.checks import Check
from art_training.checks.finite import NoNaN
from art_training.checks.losses import LossDecreases
from art_training.checks.unchanged import Changed, Unchanged
from art_training.engines import FitResult, Parts
from art_training.errors import ProjectError, SetupError
from art_training.records import Candidate, Outcome, Reading, Split
from art_training.setup.setup import Setup
from art_training.setup.task import Task
from art_training.setup.torch_model import TorchModel
from art_training.setup.variant import Variant
from art_training.steps.bench import Bench, Scored
from art_training.steps.looking_back import LooksBack, watched_fit
from art_training.steps.step import Fetch
from art_training.steps.transfer import freezing, pretrained, proof
from art_training.steps.transfer.freezing import AllButLast, Freeze, Names
from art_training.steps.weights import LAST, checkpoint_of
from art_training.stores.artifacts import file_digest

if TYPE_CHECKING:
    from torch import Tensor

FROZEN = "frozen"
TUNED = "fine-tuning"

_SOURCE = "pretrained"

_HEAD = AllButLast(1)


@dataclass(frozen=True)
class TransferLearning(LooksBack):
    """Train what is new on top of what was learned elsewhere, and then all of it, slowly.

    In the frozen phase the parameters that `freeze` names do not move, nor do the statistics of batch norms among them; a batch
    norm without parameters goes with the module around it or, where part of that trains, with the layer before it.
    Fine-tuning begins with exactly the weights that this phase ended with; everything is trained, at `fine_tuning_rate`
    times the model's own learning rate. Both phases train with fresh optimisers, schedulers and callbacks, and on the
    data as it is, augmentation included.

    The outcome proves it: digests of the frozen part before and after the frozen phase, of the part that was trained,
    of the weights between the phases, and of the part that thawed. The scores are those of the fine-tuned weights; what
    the frozen phase had reached is a candidate beside it. The examples that the fine-tuned weights do worst on are named.

    Later steps get a setup whose fresh models begin with the pretrained weights, where `pretrained` gave them: they
    train all of it from there, without a frozen phase. The fine-tuned weights are the artifact `last.ckpt`.

    Attributes:
        freeze: what does not move in the frozen phase: a pattern on names of parameters as of `fnmatch` (`"backbone.*"`),
            several, `{"modules": ["backbone"]}`, or `art.all_but_last(n)`.
        pretrained: where weights come from: a file (a checkpoint, a saved state dict, safetensors) or the name of an
            earlier step, whose weights are taken. They go where name and shape agree; the rest stays freshly
            initialised, and the outcome says which. None: the model's factory loads them itself.
        fresh: patterns of what stays freshly initialised though it would fit, such as a head of as many classes, but others.
        frozen_epochs: of the frozen phase.
        epochs: of fine-tuning; None: as the Trainer's settings say.
        fine_tuning_rate: factor on the learning rate in fine-tuning.
        layer_rates: factor from each layer to the one before it, so that what is nearer to the input moves less; 1.0: all
            alike. Or factors by pattern; the first that matches counts.
        unfreeze: `all` at the beginning of fine-tuning, or `gradual`: a layer an epoch, from the last to the first.
        examples: worst examples of each kind that are named; 0: no look back at the data.
        examples_seconds: the time to read their inputs again for pictures.
    """

    freeze: Freeze = _HEAD
    pretrained: Path | str | None = None
    fresh: str | Sequence[str] = ()
    frozen_epochs: int = 5
    epochs: int | None = None
    fine_tuning_rate: float = 0.1
    layer_rates: float | Mapping[str, float] = 1.0
    unfreeze: Literal["all", "gradual"] = "all"

    scored_splits: ClassVar[frozenset[Split] | None] = frozenset({Split.TRAIN, Split.VALIDATION})

    def __post_init__(self) -> None:
        super().__post_init__()
        freezing.check_freeze(self.freeze, self.name)
        freezing.check_fresh(self.fresh, self.name)
        freezing.check_rates(self.fine_tuning_rate, self.layer_rates, self.name)
        for name in ("frozen_epochs", "epochs"):
            value: Any = getattr(self, name)
            optional = name == "epochs" and value is None
            if not optional and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise ProjectError(f"{name}={value!r} of step {self.name!r} must be a whole number of at least 1")
        if self.unfreeze not in {"all", "gradual"}:
            raise ProjectError(f"unfreeze={self.unfreeze!r} of step {self.name!r} is neither 'all' nor 'gradual'")
        if self.fresh and self.pretrained is None:
            raise ProjectError(
                f"fresh={self.fresh!r} of step {self.name!r} says what is not taken of pretrained weights, and there are none; "
                "give pretrained=, too"
            )
        if not isinstance(cast("Any", self.pretrained), str | Path | None) or self.pretrained == "":
            raise ProjectError(
                f"pretrained={self.pretrained!r} of step {self.name!r} is neither a file nor the name of an earlier step"
            )

    def consumes(self, kinds: Mapping[str, str]) -> Collection[str]:
        return [name for name in kinds if name == self.pretrained]

    def configuration(self) -> dict[str, Any]:
        configuration = super().configuration()
        # A file counts by what it holds, wherever it lies; a step by its outcome.
        if self.pretrained is not None and Path(self.pretrained).is_file():
            configuration[_SOURCE] = {"file": file_digest(Path(self.pretrained))[0]}
        return configuration

    def run(self, bench: Bench) -> Outcome:
        names = _names(bench)
        frozen = freezing.frozen_names(self.freeze, names)
        factors = freezing.rates(names, self.fine_tuning_rate, self.layer_rates)
        start = self._start(bench, names, frozen)
        before = bench.fit(
            _lasting(bench.setup, self.frozen_epochs), label=FROZEN, start=start.path, parts=Parts(_exactly(frozen))
        )
        if before.last is None:
            raise SetupError(f"the frozen phase of step {self.name!r} left no weights: {before.message}")
        middle = bench.engine.weights(before.last)
        tuning = bench.setup if self.epochs is None else _lasting(bench.setup, self.epochs)
        parts = self._parts(tuning, names, frozen, factors)
        watch = self.examples > 0
        after, forgotten = watched_fit(bench, tuning, label=TUNED, watch=watch, start=before.last, parts=parts)
        splits = [split for split in (Split.TRAIN, Split.VALIDATION) if split in bench.splits]
        reached = bench.evaluate(*splits, weights=before.last, plain=True, keep=False)
        scored = bench.evaluate(*splits, weights=after.last, plain=True)
        looked = self.look_back(bench, scored, weights=after.last, forgotten=forgotten)
        artifacts = [
            bench.keep(before.last, name="frozen.ckpt", kind="checkpoint", note="at the end of the frozen phase")
        ]
        if after.last is not None:
            artifacts.append(bench.keep(after.last, name=LAST, kind="checkpoint", note="after fine-tuning"))
        readings = [
            *start.readings,
            *_proof(names, frozen, start.weights, middle),
            *_tuned(bench, frozen, middle, after),
            Reading("learning rates", _by_layer(names, factors), note="factors in fine-tuning, by layer"),
            Reading("epochs", {FROZEN: before.epochs, TUNED: after.epochs}, "epochs"),
            Reading("callbacks", {FROZEN: dict(before.callbacks), TUNED: dict(after.callbacks)}),
            *looked.readings,
        ]
        return Outcome(
            scores=scored.scores,
            readings=tuple(readings),
            findings=(*before.findings, *after.findings, *scored.findings),
            candidates=(
                Candidate(FROZEN, reached.scores, note="after the frozen phase"),
                Candidate(TUNED, scored.scores, note="after fine-tuning"),
            ),
            parameters={
                FROZEN: dict(before.parameters),
                TUNED: dict(after.parameters),
                "frozen": list(frozen),
                _SOURCE: start.source,
            },
            artifacts=(*artifacts, *looked.artifacts),
            seconds={
                FROZEN: before.seconds,
                TUNED: after.seconds,
                "evaluate": reached.seconds + scored.seconds,
                "look back": looked.seconds,
            },
            summary=_summary(names, frozen, reached, scored),
            stopped=after.stopped or before.stopped,
        )

    def carry_with(self, setup: Setup, outcome: Outcome, fetch: Fetch) -> Setup:
        source = outcome.parameters.get(_SOURCE)
        if not source or self.pretrained is None:
            return setup
        where = fetch if source.get("step") else Path(self.pretrained).resolve()
        begin = pretrained.Begin(where, source["digest"], source["names"])
        return Variant(model=begin).apply(setup).but(declarations={_SOURCE: source["from"]})

    def default_checks(self, task: Task, metrics: Sequence[str]) -> Sequence[Check]:
        return (
            Unchanged(proof.FROZEN),
            Changed(proof.TRAINED),
            Unchanged(proof.BETWEEN),
            Changed(proof.THAWED),
            LossDecreases(f"{FROZEN}/train/loss"),
            NoNaN(),
        )

    def score_names(self, metrics: Sequence[str]) -> Sequence[str]:
        return (*metrics, "loss")

    def _start(self, bench: Bench, names: Names, frozen: Sequence[str]) -> "_Start":
        fresh = bench.engine.fresh_weights(bench.setup, seed=bench.seed)
        weights, loaded, readings, source = fresh, tuple[str, ...](), list[Reading](), dict[str, Any]()
        if self.pretrained is not None:
            path, said = self._file(bench)
            given = pretrained.read(path, bench.engine)
            fitted = pretrained.fit(given, fresh, said, leave=freezing.fresh_names(self.fresh, names))
            weights, loaded = fitted.weights, fitted.loaded
            readings = _loaded(names, fitted, said)
            taken = pretrained.names_in_file(fitted, given, fresh)
            of_step = str(self.pretrained) in bench.outcomes
            source = {"from": said, "step": of_step, "digest": file_digest(path)[0], "names": taken}
        _require_learned(self, bench, names, [name for name in frozen if name not in loaded], fresh)
        path = bench.engine.write_weights(weights, bench.folder / "start.ckpt")
        return _Start(path, weights, tuple(readings), source)

    def _file(self, bench: Bench) -> tuple[Path, str]:
        """Where the pretrained weights lie, and what they are in words."""
        assert self.pretrained is not None
        outcome = bench.outcomes.get(str(self.pretrained))
        if outcome is None:
            return Path(self.pretrained), Path(self.pretrained).name
        artifact = checkpoint_of(outcome)
        if artifact is None:
            raise SetupError(
                f"pretrained={self.pretrained!r} of step {self.name!r} names a step that left no weights; name one that did"
            )
        return bench.fetch(artifact), f"step {self.pretrained}"

    def _parts(self, setup: Setup, names: Names, frozen: Sequence[str], factors: Mapping[str, float]) -> Parts:
        rates = freezing.as_patterns(names, factors)
        if self.unfreeze == "all":
            return Parts(rates=rates)
        given = None if callable(setup.trainer) else setup.trainer.get("max_epochs")
        epochs = self.epochs or given
        if not isinstance(epochs, int) or epochs < 1:
            raise SetupError(
                f"step {self.name!r} thaws a layer an epoch, and does not know how many epochs there are; give epochs="
            )
        still, thaw = freezing.thawing(names, frozen, epochs)
        return Parts(_exactly(still), {epoch: _exactly(thawed) for epoch, thawed in thaw.items()}, rates)


class _Start(NamedTuple):
    """What the frozen phase begins with: a file, its weights, what is to be told of them, and where they are from."""

    path: Path
    weights: "Mapping[str, Tensor]"
    readings: tuple[Reading, ...]
    source: dict[str, Any]


def _names(bench: Bench) -> Names:
    base = getattr(bench.setup.model, "base", bench.setup.model)  # of a variant
    return Names.of(bench.engine.parameters(bench.setup), prefix="model." if isinstance(base, TorchModel) else "")


def _exactly(names: Sequence[str]) -> tuple[str, ...]:
    """Patterns that match these names and no others."""
    return tuple(map(glob.escape, names))


def _lasting(setup: Setup, epochs: int) -> Setup:
    """The setup with training of so many epochs, however its Trainer is made."""
    if not callable(setup.trainer):
        return setup.but(trainer={"max_epochs": epochs})
    factory: Callable[..., Any] = setup.trainer

    @functools.wraps(factory)
    def trainer(*arguments: Any, **offered: Any) -> Any:
        made = factory(*arguments, **offered)
        made.fit_loop.max_epochs = epochs
        return made

    return setup.but(trainer=trainer)


def _require_learned(
    step: TransferLearning, bench: Bench, names: Names, unknown: Sequence[str], fresh: "Mapping[str, Tensor]"
) -> None:
    """Raise where what shall be frozen was never learned: it differs from one fresh model to the next.

    Raises:
        SetupError: random weights would be frozen.
    """
    import torch

    other = bench.engine.fresh_weights(bench.setup, seed=bench.seed + 1) if unknown else fresh
    drawn = [name for name in unknown if not torch.equal(fresh[name], other[name])]
    if drawn:
        shown = ", ".join(names.shown(name) for name in drawn[:3]) + (", ..." if len(drawn) > 3 else "")
        remedy = (
            "leave it out of freeze, or give weights that have it"
            if step.pretrained is not None
            else "give pretrained=, or a model whose factory loads its weights"
        )
        raise SetupError(
            f"step {step.name!r} would freeze random weights: {shown} is drawn anew for each fresh model, and nothing was "
            f"loaded for it; {remedy}"
        )


def _loaded(names: Names, fitted: pretrained.Fitted, said: str) -> list[Reading]:
    fresh = {names.shown(name): why for name, why in fitted.fresh.items()}
    readings = [Reading("pretrained tensors", len(fitted.loaded), "tensors", f"from {said}")]
    if fresh:
        readings.append(Reading("freshly initialised", fresh, note=f"not taken from {said}, and why"))
    if fitted.unused:
        readings.append(Reading("not used", list(fitted.unused), note=f"{said} has them, the model does not"))
    return readings


def _proof(
    names: Names, frozen: Sequence[str], before: "Mapping[str, Tensor]", after: "Mapping[str, Tensor]"
) -> list[Reading]:
    entries = list(after)  # in the model's order, which weights of a file need not have
    still = freezing.frozen_buffers(entries, names.of_engine, frozen)
    trained = [name for name in names.of_engine if name not in set(frozen) and name in before]
    note = f"{len(frozen)} parameters and {len(still)} buffers, before and after the frozen phase"
    return [
        proof.compared(proof.FROZEN, [*frozen, *still], before, after, note),
        proof.compared(proof.TRAINED, trained, before, after, "before and after the frozen phase"),
    ]


def _tuned(bench: Bench, frozen: Sequence[str], middle: "Mapping[str, Tensor]", result: FitResult) -> list[Reading]:
    if result.last is None:
        return [Reading(name, None, note=result.message) for name in (proof.BETWEEN, proof.THAWED)]
    end = bench.engine.weights(result.last)
    return [
        proof.between(middle, result.began),
        proof.compared(proof.THAWED, list(frozen), middle, end, "before and after fine-tuning"),
    ]


def _by_layer(names: Names, factors: Mapping[str, float]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for layer, members in names.layers().items():
        each = sorted({float(f"{factors[name]:.6g}") for name in members})
        found[names.shown(f"{layer}.").rstrip(".")] = each[0] if len(each) == 1 else each
    return found


def _summary(names: Names, frozen: Sequence[str], reached: Scored, scored: Scored) -> str:
    address = next((name for name in scored.scores if name.startswith("validation/") and name != "validation/loss"), "")
    address = address or next(iter(scored.scores), "")
    said = f"{len(frozen)} of {len(names.of_engine)} parameters frozen"
    if not address:
        return said
    first, last = reached.scores.get(address), scored.scores[address]
    after = f"{first.value:.4g} after the frozen phase, " if first is not None else ""
    return f"{said}; {address} {after}{last.value:.4g} after fine-tuning"
