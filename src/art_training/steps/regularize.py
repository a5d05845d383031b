"""Regularize: give up some of the fit on the training data for what counts, the fit on the rest."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, cast, get_args

from art_training.checks import Check
from art_training.checks.bounds import Above
from art_training.checks.finite import NoNaN
from art_training.checks.improves import ADJUSTED, GAIN
from art_training.errors import ProjectError, SetupError, UsageError
from art_training.records import Artifact, Metric, Outcome, Reading, Score, Split
from art_training.setup.scores.metrics import LOSS
from art_training.setup.setup import Setup
from art_training.setup.task import Task
from art_training.setup.variant import Variant
from art_training.steps.bench import Bench
from art_training.steps.buildable import Buildable
from art_training.steps.deciding import deciding_metric
from art_training.steps.examples import LookBack
from art_training.steps.looking_back import LOOKING_BACK, LooksBack
from art_training.steps.regularization.same import ended_alike, with_defaults
from art_training.steps.regularization.telling import (
    GAP,
    IDLE,
    Compared,
    as_candidate,
    compared,
    configuration_of,
    findings_of,
    gain_of,
    gap_of,
    of_reference,
    shown,
    together,
    write_table,
)
from art_training.steps.regularization.trying import REFERENCE, Tried, Trying, Weights, nth_seed
from art_training.steps.weights import LAST
from art_training.steps.weights_picture import first_layer_picture

COMPARED = "compared_candidates"
_MANY = 10  # seeds from which on more of them would not make up for what the examples leave open


@dataclass(frozen=True)
class Regularize(LooksBack):
    """Try named differences from the setup, one by one, and hand on the one that is better beyond doubt.

    The reference, the setup as earlier steps hand it on, is trained anew under the same seeds as every candidate, on the
    whole of the data with augmentation and by the setup's own Trainer. A candidate is compared with it on the validation
    split without augmentation, example by example and seed by seed; its interval covers both (see `Scores`). Several
    candidates are judged together: the interval and the p-value of each are those of one of so many (Bonferroni's
    inequality), so that whichever is the best was not merely the luckiest. The candidate that gains most among those whose
    whole interval lies above zero wins; where there is none, the reference is handed on, and the summary says so.

    What is handed on is the winner's difference, laid over the setup that later steps would have begun with. Its weights
    under the first seed are kept, and the step's scores are theirs. The examples that they do worst on are named.

    A candidate that raises, diverges or runs out of memory is told with its sentence, and the next is tried. What cannot
    work at all, such as a hyper-parameter that the model does not take, is refused before anything is trained; so are
    candidates of which none can be trained, because their data give no batch that the model takes or pretrained weights do
    not fit. Where some can, those are tried. A training that this step has made before, of the same setup, data and seed,
    is not made again: more candidates or more seeds cost only themselves. `art run --force` begins with nothing.

    Scores beside those of what is handed on: `gain`, how much better the winner is than the reference, or the best
    candidate where none won, positive is better; `gap`, how much worse the metric is on validation than on training;
    `compared_candidates`.

    Attributes:
        candidates: differences by name: `{"dropout 0.3": Variant(hparams={"dropout": 0.3})}`.
        seeds: trainings of each candidate and of the reference. With one, nothing is known of how much another training
            would differ.
        by: what decides: `validation/loss`, or a metric whose direction is known, `validation/accuracy`.
        keep_reference: hand the reference on unless a candidate is better beyond doubt. False: hand the best candidate
            on that is better at all.
        weights: which weights of a training are scored: `last`, or the `best` of the user's ModelCheckpoint where there
            is one, for candidates that stop early.
        examples: worst examples of each kind that are named; 0: no look back at the data.
        examples_seconds: the time to read their inputs again for pictures.
    """

    candidates: Mapping[str, Variant] = field(default_factory=dict[str, Variant])
    seeds: int = 3
    by: str = "validation/loss"
    keep_reference: bool = True
    weights: Weights = "last"

    purpose: ClassVar[str] = (
        "Which named change makes validation better, on the same examples and seeds, beyond chance?"
    )
    version: ClassVar[int] = 2
    amounts: ClassVar[frozenset[str]] = frozenset({"candidates", "seeds", "by", "keep_reference", *LOOKING_BACK})
    needs_splits: ClassVar[frozenset[Split]] = frozenset({Split.VALIDATION})
    scored_splits: ClassVar[frozenset[Split] | None] = frozenset({Split.TRAIN, Split.VALIDATION})
    leaves_weights: ClassVar[bool | None] = True
    decides: ClassVar[str] = "by"

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_candidates(self.candidates, self.name)
        object.__setattr__(self, "candidates", dict(self.candidates))
        object.__setattr__(self, "by", str(deciding_metric(self.by, self.name)))
        if isinstance(cast("Any", self.seeds), bool) or not isinstance(cast("Any", self.seeds), int) or self.seeds < 1:
            raise ProjectError(f"seeds={self.seeds!r} of step {self.name!r} must be a whole number of at least 1")
        if self.weights not in get_args(Weights):
            raise ProjectError(f"weights={self.weights!r} of step {self.name!r} is neither 'last' nor 'best'")

    def run(self, bench: Bench) -> Outcome:
        metric = Metric.parse(self.by)
        _require_direction(bench, metric, self.name)
        trying = Trying(bench, metric, self.seeds, self.weights, watch=self.examples > 0)
        setups, unable = self._setups(bench, trying)
        reference = trying.tried(REFERENCE, bench.setup)
        if reference.failure:
            raise SetupError(
                f"the reference, which all candidates of step {self.name!r} differ from, could not be trained "
                f"{reference.failure}"
            )
        found: list[Compared] = []
        for name, setup in setups.items():
            failed = Tried(name, setup, (), unable[name]) if name in unable else None
            one = compared(
                failed or trying.tried(name, setup),
                reference,
                variant=self.candidates[name],
                changes=setup - bench.setup,
                metrics=bench.metrics,
                metric=metric,
                seed=bench.seed,
            )
            if one.comparison is not None and not any(one.comparison.by_seed):
                one = replace(one, idle=ended_alike(bench, one.tried, reference))
            # What was compared is not needed any more; with many candidates it would fill the memory.
            found.append(replace(one, tried=_without_examples(one.tried)))
        return self._told(bench, metric, reference, together(found))

    def carry(self, setup: Setup, outcome: Outcome) -> Setup:
        """The setup with the winner's difference laid over it; as it was where the reference won.

        Raises:
            ProjectError: the winner of a stored outcome is none of the candidates any more.
        """
        winner = outcome.parameters.get("winner", REFERENCE)
        if winner == REFERENCE:
            return setup
        if winner not in self.candidates:
            raise ProjectError(
                f"step {self.name!r} chose {winner!r} when it last ran, which is none of its candidates now: "
                f"{', '.join(self.candidates)}; run it again, or give it that candidate back"
            )
        return self.candidates[winner].apply(self.setup or setup)

    def configured(self, setup: Setup, outcome: Outcome, candidate: str) -> Setup:
        """The setup of the reference or of a candidate.

        Raises:
            ProjectError: there is no such candidate now.
        """
        own = self.resolve(setup)
        if candidate == REFERENCE:
            return own
        if candidate not in self.candidates:
            raise ProjectError(
                f"{candidate!r} is no candidate of step {self.name!r}; these are: {', '.join(self.candidate_names())}"
            )
        return self.candidates[candidate].apply(own)

    def default_checks(self, task: Task, metrics: Sequence[str]) -> Sequence[Check]:
        return (Above(COMPARED, 0), NoNaN())  # a candidate that diverges is told, and fails nobody else

    def score_names(self, metrics: Sequence[str]) -> Sequence[str]:
        return (*metrics, LOSS, COMPARED, GAIN, GAP)

    def keeps_parameters(self, setup: Setup) -> bool:
        return all(variant.keeps_parameters(setup) for variant in self.candidates.values())

    def candidate_names(self) -> Sequence[str]:
        return (REFERENCE, *self.candidates)

    def setups(self, setup: Setup) -> Iterable[tuple[str, Setup]]:
        for name, variant in self.candidates.items():
            yield f"candidate {name!r}", variant.apply(setup)

    def configuration(self) -> dict[str, Any]:
        """The fields; a candidate is what it varies and the code that does."""
        described = {name: configuration_of(variant) for name, variant in self.candidates.items()}
        return {**super().configuration(), "candidates": described}

    def _setups(self, bench: Bench, trying: Trying) -> tuple[dict[str, Setup], dict[str, str]]:
        """The candidates' setups, no two of which are the same; and why some cannot be trained.

        Raises:
            SetupError: one of them is a mistake of its declaration, or no other than another one; or none can be trained.
        """
        bench.say("look at the candidates")
        setups: dict[str, Setup] = {}
        unable: dict[str, str] = {}
        buildable = Buildable(bench)
        seen = {trying.identity(with_defaults(bench.setup)).digest: REFERENCE}
        for name, variant in self.candidates.items():
            try:
                setups[name] = setup = variant.apply(bench.setup)
                if why := buildable.why_not(setup):
                    unable[name] = why
                    continue
            except UsageError as error:
                raise SetupError(f"candidate {name!r} of step {self.name!r}: {error}") from error
            digest = trying.identity(with_defaults(setup)).digest
            if digest in seen:
                raise SetupError(
                    f"candidate {name!r} of step {self.name!r} is the same setup as {_called(seen[digest])}: "
                    f"{_settings(variant, setup)} there too; leave it out, or let it vary something"
                )
            seen[digest] = name
        if len(unable) == len(setups):
            told = "; ".join(
                f"candidate {name!r} of step {self.name!r}: could not be trained {why}" for name, why in unable.items()
            )
            raise SetupError(f"{told}; nothing is left to try, so that nothing was trained")
        return setups, unable

    def _told(self, bench: Bench, metric: Metric, reference: Tried, found: Sequence[Compared]) -> Outcome:
        winner, why = self._winner(found)
        chosen = winner.tried if winner is not None else reference
        best = winner or max((one for one in found if one.value == one.value), key=lambda one: one.value, default=None)
        gain, gap = (None if best is None else gain_of(best)), gap_of(chosen, metric)
        counted = sum(1 for one in found if one.comparison is not None)
        scores = {**chosen.trainings[0].scores, COMPARED: Score(float(counted), direction="maximize")}
        scores |= {name: score for name, score in ((GAIN, gain), (GAP, gap)) if score is not None}
        readings = [Reading("winner", chosen.name, note=why)]
        if wrong := "; ".join(f"{one.name} {one.note}" for one in found if one.note):
            readings.append(Reading(f"remedy for {COMPARED}", wrong))
        if best is not None:
            several = f", by Bonferroni's inequality over {best.among} candidates" if best.among > 1 else ""
            readings.append(Reading(ADJUSTED, best.adjusted, note=f"of {best.name}{several}"))
        pictures: tuple[Artifact, ...] = ()
        looked = LookBack()
        if (weights := chosen.trainings[0].weights) is not None:
            path = bench.fetch(weights)
            layer, pictures = first_layer_picture(bench, path, setup=chosen.setup)
            seed, forgotten = nth_seed(bench.seed, 1), chosen.trainings[0].forgotten
            looked = self.look_back_with(bench, path, chosen.setup, seed=seed, forgotten=forgotten)
            readings += [layer, *looked.readings]
        everyone = (reference, *(one.tried for one in found))
        return Outcome(
            scores=scores,
            readings=tuple(readings),
            findings=(*findings_of(found), *chosen.trainings[0].findings),
            candidates=(of_reference(reference, metric), *(as_candidate(one, metric) for one in found)),
            parameters={"by": str(metric), "seeds": self.seeds, "winner": chosen.name},
            artifacts=(*self._kept(bench, metric, reference, found, chosen), *pictures, *looked.artifacts),
            seconds={**{one.name: one.seconds for one in everyone}, "look back": looked.seconds},
            summary=_summary(winner, best, metric, why, sum(one.recalled for one in everyone)) + _failed(found),
        )

    def _winner(self, found: Sequence[Compared]) -> tuple[Compared | None, str]:
        """Who won, and why it did or nobody did."""
        if not any(one.comparison is not None for one in found):
            return None, "no candidate could be compared"
        certain = [one for one in found if one.better]
        if certain:
            return max(certain, key=lambda one: one.value), "better than the reference beyond doubt"
        better = [one for one in found if one.value > 0]
        if better and not self.keep_reference:
            return max(
                better, key=lambda one: one.value
            ), "the best; that it is better than the reference is not certain"
        if not better:
            return None, "no candidate is better than the reference"
        told = "no candidate is better than the reference beyond doubt"
        agreed = [one.name for one in better if one.comparison is not None and min(one.comparison.by_seed) > 0]
        if agreed and self.seeds < _MANY:
            told += f", though under every seed {', '.join(agreed)} is; Regularize(seeds={self.seeds + 2}) trains two more of each"
        return None, told

    def _kept(
        self, bench: Bench, metric: Metric, reference: Tried, found: Sequence[Compared], chosen: Tried
    ) -> list[Artifact]:
        path = write_table(bench.folder / "candidates.csv", reference, found, metric)
        kept = [bench.keep(path, name="candidates.csv", kind="table", note="every training of every candidate")]
        weights = chosen.trainings[0].weights
        if weights is not None:
            kept.append(replace(weights, name=LAST, note=f"{chosen.name}, under seed 1"))
        everyone = (reference, *(one.tried for one in found))
        return [*kept, *(training.kept for tried in everyone for training in tried.trainings)]


def _require_candidates(candidates: Any, step: str) -> None:
    if not isinstance(candidates, Mapping) or not candidates:
        raise ProjectError(
            f"candidates={candidates!r} of step {step!r} gives nothing to try; "
            "give differences by name: candidates={'dropout 0.3': art.Variant(hparams={'dropout': 0.3})}"
        )
    for name, variant in cast("Mapping[Any, Any]", candidates).items():
        if not isinstance(name, str) or not name.strip() or name == REFERENCE:
            raise ProjectError(f"a candidate of step {step!r} is called {name!r}; give it a name of its own")
        if not isinstance(variant, Variant):
            given = "a whole setup" if isinstance(variant, Setup) else repr(variant)
            raise ProjectError(
                f"candidate {name!r} of step {step!r} is {given}, which is no Variant; "
                "give art.Variant(hparams={...}), or a modifier: art.Variant(model=add_dropout)"
            )
        if not variant.varies:
            raise ProjectError(
                f"candidate {name!r} of step {step!r} varies nothing; give it hparams, trainer, model or data"
            )


def _require_direction(bench: Bench, metric: Metric, step: str) -> None:
    if Split.VALIDATION not in bench.splits:
        raise SetupError(
            f"{step} chooses by {metric}, and the data has: {', '.join(bench.splits)}; "
            "give a val_dataloader, or art.data(validation=...)"
        )
    if bench.metrics.direction(metric.name) is None:
        raise SetupError(
            f"it is not known which way metric {metric.name!r} is better, so {step} cannot choose by it; "
            "set its attribute higher_is_better to True or False"
        )


def _called(name: str) -> str:
    return "the reference" if name == REFERENCE else f"{name!r}"


def _settings(variant: Variant, setup: Setup) -> str:
    parts = [
        f"{part}.{name} is {getattr(setup, part)[name]!r}"
        for part in ("hparams", "trainer")
        for name in getattr(variant, part)
    ]
    return " and ".join(parts) or "it makes the same of it"


def _without_examples(tried: Tried) -> Tried:
    from art_training.setup.scores.examples import Examples

    empty = Examples(0)
    return replace(tried, trainings=tuple(replace(one, examples=empty) for one in tried.trainings))


def _failed(found: Sequence[Compared]) -> str:
    """Which candidates came to nothing, and why, as the end of a sentence."""
    failed = "".join(f"; {one.name} {one.note}" for one in found if one.comparison is None)
    return failed + "".join(f"; {one.name}: {IDLE}" for one in found if one.idle)


def _summary(winner: Compared | None, best: Compared | None, metric: Metric, why: str, recalled: int) -> str:
    if winner is not None:
        told = f"{winner.name} is handed on: {shown(winner, metric)}; {why}"
    else:
        told = f"the reference is handed on: {why}"
        told += f"; the best is {best.name}: {shown(best, metric)}" if best is not None else ""
    return f"{told}; {recalled} of the setups had been trained before" if recalled else told
