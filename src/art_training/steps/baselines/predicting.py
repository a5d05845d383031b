"""A pass of the validation split by all baselines at once; one that fails costs none of the others."""

from dataclasses import replace
from typing import Any

from art_training.errors import SetupError
from art_training.records import Finding, Metric, Outcome, Reading, Score, Severity, Split
from art_training.setup.frames import raised
from art_training.setup.setup import Setup
from art_training.steps.baselines.contenders import Contender, NoTarget, target_of
from art_training.steps.baselines.learning import Learned
from art_training.steps.baselines.pooling import Pooled
from art_training.steps.bench import Bench

UNSCORED = "unscored"
BROKEN = "ART704"


def predict_and_score(bench: Bench, learned: Learned) -> dict[str, dict[str, Score]]:
    """Score each baseline on the validation split; why one has no score is noted in `learned`."""
    pools = predict(bench, learned, Split.VALIDATION)
    scores: dict[str, dict[str, Score]] = {}
    for one in learned.contenders:
        if one.name in learned.left_out:
            continue
        bench.say(f"score {one.name}")
        for loader, pool in pools.get(one.name, {}).items():
            found = pool.scores(bench.metrics, seed=bench.seed, source=f"baseline {one.name}")
            placed = {str(Metric(name, Split.VALIDATION, loader)): score for name, score in found.items()}
            scores.setdefault(one.name, {}).update(placed)
            if pool.left_out and loader is None:
                one.notes.append(f"scored on {pool.examples:,} examples; {pool.left_out:,} more were too many to keep")
            if pool.why_no_loss and loader is None:
                one.notes.append(f"no loss: {pool.why_no_loss}")
    return scores


def predict(
    bench: Bench, learned: Learned, split: Split, setup: Setup | None = None
) -> dict[str, dict[str | None, Pooled]]:
    """Pass a split by all baselines at once: by name, what each predicts of the whole and of each of several loaders.

    Args:
        bench: of the step.
        learned: the baselines.
        split: which.
        setup: whose data it is of; None: the bench's.
    """
    from threadpoolctl import threadpool_limits

    pools: dict[str, dict[str | None, Pooled]] = {}

    def see(_: Split, loader: str | None, batch: Any) -> None:
        for one in learned.contenders:
            if one.name not in learned.left_out:
                _predict(one, batch, loader, pools.setdefault(one.name, {}), bench, learned)

    bench.say(f"predict {split}")
    with threadpool_limits(1):  # batches are small: threads would wait for each other most of the time
        bench.read(split, see=see, setup=setup)
    return pools


def with_unscored(outcome: Outcome, learned: Learned) -> Outcome:
    """With how many baselines of the user's own have no score, and why, for a check."""
    score = Score(
        float(len(learned.broken)), direction="minimize", note="baselines of your own that could not be scored"
    )
    if not learned.broken:
        return replace(outcome, scores={**outcome.scores, UNSCORED: score})
    findings = [
        Finding(
            code=BROKEN,
            category="metrics",
            severity=Severity.ERROR,
            message=why,
            evidence={"baseline": name},
            remedy=f"mend {name!r}, or leave it out; the other baselines were scored",
        )
        for name, why in learned.broken.items()
    ]
    return replace(
        outcome,
        scores={**outcome.scores, UNSCORED: score},
        readings=(*outcome.readings, Reading(f"remedy for {UNSCORED}", "; ".join(learned.broken.values()))),
        findings=(*outcome.findings, *findings),
    )


def _predict(  # noqa: PLR0917  Each is another part of one pass.
    one: Contender, batch: Any, loader: str | None, own: dict[str | None, Pooled], bench: Bench, learned: Learned
) -> None:
    try:
        target = target_of(batch, bench.task)
        predicted = one.predict(batch, target)
        for place in dict.fromkeys((None, loader)):  # the split as a whole, and each of several loaders
            own.setdefault(place, Pooled(bench.task)).add(*predicted)
    except NoTarget as error:
        learned.left_out[one.name] = f"it could not be compared: {error}"
    except Exception as error:
        if not one.users and not isinstance(error, ValueError | RuntimeError):
            raise
        if one.users:  # whatever their code raises, the work of the others is worth keeping
            why = (
                str(error)
                if isinstance(error, SetupError)
                else f"baseline {one.name!r} could not predict: {raised(error)}"
            )
            learned.broken[one.name] = why
        learned.left_out[one.name] = learned.broken.get(one.name, f"it could not predict: {error}")
