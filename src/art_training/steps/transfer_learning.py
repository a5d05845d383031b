"""TransferLearning: what was learned elsewhere is kept, a new head is trained on it, and then both together."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, cast

from art_training.checks import Check
from art_training.checks.finite import NoNaN
from art_training.checks.improves import GAIN, Improves
from art_training.checks.losses import LossDecreases
from art_training.checks.unchanged import Changed, Unchanged
from art_training.engines import Parts
from art_training.errors import ProjectError, SetupError
from art_training.records import Candidate, Metric, Outcome, Reading, Split
from art_training.setup.setup import Setup
from art_training.setup.task import Task
from art_training.setup.variant import Variant
from art_training.steps.bench import Bench
from art_training.steps.deciding import deciding_metric
from art_training.steps.looking_back import LooksBack, watched_fit
from art_training.steps.prospect import Prospect
from art_training.steps.step import Fetch
from art_training.steps.transfer import foreign, freezing, pretrained, proof, scratch, starting, telling
from art_training.steps.transfer.anew import anew
from art_training.steps.transfer.begin import Begin
from art_training.steps.transfer.freezing import AllButLast, Freeze, Names
from art_training.steps.transfer.phases import Phases, Work, exactly, lasting, names_of
from art_training.steps.transfer.source import require_source, source_of
from art_training.steps.transfer.starting import Start
from art_training.steps.weights import LAST
from art_training.stores.artifacts import file_digest

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
        freeze: what does not move in the frozen phase: the name of a submodule (`"backbone"`), a pattern on names of
            parameters as of `fnmatch` (`"backbone.*"`), several, `{"modules": ["backbone"]}`, or `art.all_but_last(n)`.
        pretrained: where weights come from: a file (a checkpoint, a saved state dict, safetensors) or the name of an
            earlier step, whose weights are taken. Of one that left several, such as a squeeze that delivers an ensemble,
            one is named: `"Squeeze/member 1"`, `"Tune/trial 7"`. They go where name and shape agree; the rest stays freshly
            initialised, and the outcome says which. None: the model's factory loads them itself.
        fresh: names of submodules, or patterns, of what stays freshly initialised though it would fit, such as a head of as many classes, but others.
        frozen_epochs: of the frozen phase.
        epochs: of fine-tuning; None: as the Trainer's settings say.
        fine_tuning_rate: factor on the learning rate in fine-tuning.
        layer_rates: factor from each layer to the one before it, so that what is nearer to the input moves less; 1.0: all
            alike. Or factors by pattern; the first that matches counts.
        unfreeze: `all` at the beginning of fine-tuning, or `gradual`: a layer an epoch, from the last to the first.
        scratch_seeds: under so many seeds it is asked whether the transfer beats the same setup trained from scratch, on the same
            labels and with as many optimiser steps to take as both phases have; pairs of one seed are compared, `gain` has an
            interval over examples and seeds, and the check `Improves` asks for it. What an earlier transfer handed on is left
            out there. 0: no comparison.
        by: what it is compared by: `validation/loss`, or a metric whose direction is known.
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
    scratch_seeds: int = 0
    by: str = "validation/loss"

    purpose: ClassVar[str] = (
        "Does what was learned elsewhere help here, and did only the parts move that were meant to?"
    )
    version: ClassVar[int] = 2
    decides: ClassVar[str] = "by"
    scored_splits: ClassVar[frozenset[Split] | None] = frozenset({Split.TRAIN, Split.VALIDATION})
    leaves_weights: ClassVar[bool | None] = True

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
        scratch.check_seeds(self.scratch_seeds, self.name, pretrained=self.pretrained is not None)
        object.__setattr__(self, "by", str(deciding_metric(self.by, self.name)))
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
        source = source_of(self.pretrained, kinds)
        return [] if source is None else [source.step]

    def foresee(self, prospect: Prospect) -> None:
        if self.pretrained is not None:
            said = starting.said_of(self.pretrained, self.name)
            require_source(self.pretrained, said, prospect.before)
            given = source_of(self.pretrained, prospect.before.earlier) is None
            if given and not prospect.before.with_files:  # which may write another in its place
                foreign.require_weights(Path(self.pretrained), said)
        if self.scratch_seeds:
            scratch.require_validation(prospect.engine.declared_splits(prospect.setup), self.name)
        if not prospect.settled:  # another setup may have other names
            return
        try:
            parameters = prospect.parameters()
            if parameters is None:
                return
            names = names_of(prospect.setup, parameters)
            frozen, left_fresh, _ = self._parts_of(names)
        except SetupError as error:
            raise SetupError(f"step {self.name!r}: {error}") from error
        self._require_learned(prospect, names, [name for name in frozen if name in set(left_fresh)])

    def _require_learned(self, prospect: Prospect, names: Names, both: Sequence[str]) -> None:
        """Refuse to freeze what is drawn anew because `fresh` names it, too."""
        if not both:
            return
        setup = anew(prospect.setup, both)
        one, other = (prospect.engine.fresh_weights(setup, seed=seed) for seed in (0, 1))
        remedy = "fresh= names it, too: leave it out of fresh or of freeze"
        pretrained.require_learned(both, one, other, names=names, step=self.name, remedy=remedy)

    def configuration(self) -> dict[str, Any]:
        configuration = super().configuration()
        # A file counts by what it holds, wherever it lies; a step by its outcome.
        if self.pretrained is not None and Path(self.pretrained).is_file():
            configuration[_SOURCE] = {"file": file_digest(Path(self.pretrained))[0]}
        return configuration

    def run(self, bench: Bench) -> Outcome:
        if self.scratch_seeds:
            scratch.require_validation(bench.splits, self.name)
        work = self._work(bench)
        outcome = self._transferred(bench, work)
        if not self.scratch_seeds or outcome.stopped:
            return outcome

        def transfer(seed: int, label: str) -> scratch.Trained:
            begin = starting.start(bench, work, self.pretrained, step=self.name, seed=seed)
            both = self._both_phases(bench, work, begin, seed=seed, label=f", {label}")
            last = scratch.weights_of(both.after, f"{TUNED}, {label}")
            return scratch.Trained(last, (both.before, both.after))

        against = scratch.against_scratch(bench, Metric.parse(self.by), self.scratch_seeds, transfer)
        return replace(outcome, **scratch.with_scratch(outcome, against))

    def _work(self, bench: Bench) -> Work:
        names = names_of(bench.setup, bench.engine.parameters(bench.setup))
        frozen, fresh, factors = self._parts_of(names)
        tuning = bench.setup if self.epochs is None else lasting(bench.setup, self.epochs)
        return Work(names, frozen, fresh, factors, tuning, self._parts(tuning, names, frozen, factors))

    def _both_phases(
        self, bench: Bench, work: Work, start: Start, *, seed: int | None = None, label: str = ""
    ) -> Phases:
        before = bench.fit(
            lasting(bench.setup, self.frozen_epochs),
            label=f"{FROZEN}{label}",
            start=start.path,
            parts=Parts(exactly(work.frozen)),
            seed=seed,
        )
        if before.last is None:
            raise SetupError(f"the frozen phase of step {self.name!r} left no weights: {before.message}")
        after, forgotten = watched_fit(
            bench,
            work.tuning,
            label=f"{TUNED}{label}",
            watch=self.examples > 0 and not label,
            start=before.last,
            parts=work.parts,
            seed=seed,
        )
        return Phases(before, before.last, after, forgotten)

    def _transferred(self, bench: Bench, work: Work) -> Outcome:
        names, frozen, factors = work.names, work.frozen, work.factors
        start = starting.start(bench, work, self.pretrained, step=self.name, seed=bench.seed)
        before, ended, after, forgotten = self._both_phases(bench, work, start)
        middle = bench.engine.weights(ended)
        splits = [split for split in (Split.TRAIN, Split.VALIDATION) if split in bench.splits]
        reached = bench.evaluate(*splits, weights=ended, plain=True, keep=False)
        scored = bench.evaluate(*splits, weights=after.last, plain=True)
        looked = self.look_back(bench, scored, weights=after.last, forgotten=forgotten)
        artifacts = [bench.keep(ended, name="frozen.ckpt", kind="checkpoint", note="at the end of the frozen phase")]
        if after.last is not None:
            artifacts.append(bench.keep(after.last, name=LAST, kind="checkpoint", note="after fine-tuning"))
        readings = [
            *start.readings,
            *telling.proof_of_frozen(names, frozen, start.weights, middle),
            *telling.proof_of_tuned(bench, frozen, middle, after),
            Reading("learning rates", telling.by_layer(names, factors), note="factors in fine-tuning, by layer"),
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
            summary=telling.summary(names, frozen, reached, scored),
            stopped=after.stopped or before.stopped,
        )

    def carry_with(self, setup: Setup, outcome: Outcome, fetch: Fetch) -> Setup:
        source = outcome.parameters.get(_SOURCE)
        if not source or self.pretrained is None:
            return setup
        where = fetch if source.get("step") else Path(self.pretrained).resolve()
        begin = Begin(where, source["digest"], source["names"])
        setup = anew(setup, source.get("fresh", ()))
        return Variant(model=begin).apply(setup).but(declarations={_SOURCE: source["from"]})

    def default_checks(self, task: Task, metrics: Sequence[str]) -> Sequence[Check]:
        return (
            Unchanged(proof.FROZEN),
            Changed(proof.TRAINED),
            Unchanged(proof.BETWEEN),
            Changed(proof.THAWED),
            LossDecreases(f"{FROZEN}/train/loss"),
            NoNaN(),
            *([Improves(than=f"training {scratch.SCRATCH}")] if self.scratch_seeds else []),
        )

    def score_names(self, metrics: Sequence[str]) -> Sequence[str]:
        return (*metrics, "loss", *([GAIN] if self.scratch_seeds else []))

    def remedy_for(self, score: str) -> str:
        if score != GAIN:
            return ""
        also = "" if self.pretrained is not None else " and pretrained="
        return f"give it scratch_seeds=3{also}, so that it is compared with training from scratch under three seeds"

    def keeps_parameters(self, setup: Setup) -> bool:
        return True

    def candidate_names(self) -> Sequence[str]:
        return (FROZEN, TUNED, *([scratch.SCRATCH] if self.scratch_seeds else []))

    def _parts_of(self, names: Names) -> tuple[tuple[str, ...], tuple[str, ...], dict[str, float]]:
        """The parameters that are frozen, those that stay fresh, and each one's factor on the learning rate.

        Raises:
            SetupError: a pattern matches nothing or everything.
        """
        frozen = freezing.frozen_names(self.freeze, names)
        rates = freezing.rates(names, self.fine_tuning_rate, self.layer_rates)
        return frozen, names.with_ties(freezing.fresh_names(self.fresh, names)), rates

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
        return Parts(exactly(still), {epoch: exactly(thawed) for epoch, thawed in thaw.items()}, rates)
