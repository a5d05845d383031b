"""A rule on learning rates that the user's own code sets: they are read at every step of a short training."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from art_training.probes.rates import Rates
from art_training.probes.serving import plan
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory, NotApplicable, NotMeasured
from art_training.rules.rule import Found, Stage, rule

_ENOUGH = 10  # steps, of which a course can be read
_VANISHED = 1e-4  # of the highest rate, as for schedulers
_EVEN = 0.02  # by which the increments of a warm-up may differ from their mean
_REACHED = 0.5  # of the rate that the optimiser was made with


@rule(
    "ART548",
    "a rate that is set by hand goes astray",
    category="schedule",
    severity=Severity.ERROR,
    stage=Stage.TRAIN,
    finds=(
        "No scheduler is there, and the rate of the only optimiser changes from step to step of a short training. It is below 0; or it "
        "fell below a ten-thousandth of its highest before half of all steps were made, and never rose again; or it rises evenly (within "
        "2 %) at every step, and at that pace reaches less than half of the rate that the optimiser was made with by the end of the "
        "training."
    ),
    why=(
        "A decay that is meant for epochs and made at every step is over before anything is learned; a warm-up of thousands of steps in a "
        "training of hundreds never reaches the rate that was meant."
    ),
    wrong="for group in optimizer.param_groups: group['lr'] *= 0.5  # after every batch",
    right="for group in optimizer.param_groups: group['lr'] *= 0.5  # in on_train_epoch_end",
    source="https://karpathy.github.io/2019/04/25/recipe/ (do not trust learning rate decay defaults)",
    symptoms=("ART522", "ART521"),
    watches=(Rates,),
    asks=(plan,),
)
def astray(laboratory: Laboratory) -> Iterable[Found]:
    """A course that nobody declared."""
    seen = laboratory.get(Rates)
    rates = seen.rates
    if seen.kinds or seen.optimizers > 1 or max(rates, default=0.0) == min(rates, default=0.0):
        raise NotApplicable("no code of the user's own changes the rate of a single optimiser")
    if len(rates) < _ENOUGH:
        raise NotMeasured(f"the short training had {len(rates)} steps, of which no course can be read")
    below = [index for index, rate in enumerate(rates) if rate < 0]
    steps = laboratory.ask(plan).steps
    confirmed = f"the rate was read at each of {len(rates)} steps of a short training"
    evidence = {"first": rates[0], "highest": max(rates), "last": rates[-1], "watched": len(rates), "steps": steps}
    if below:
        yield Found(
            f"the rate is set to {rates[below[0]]:.2g} at step {below[0] + 1}, and is negative in {len(below)} of {len(rates)} steps",
            evidence,
            "bound the rate by 0 from below, and count in steps what is made at every step",
            confirmed_by=confirmed,
        )
    elif steps is not None and (gone := _vanishes(rates)) is not None and 2 * gone < steps:
        yield Found(
            f"the rate is set from {max(rates):.2g} to below {_VANISHED:g} of it within {gone} of {steps} steps, and to {rates[-1]:.2g} by "
            f"step {len(rates)}",
            evidence,
            "change it after each epoch, or by a factor that is meant for a step; a scheduler with interval='epoch' does so",
            confirmed_by=confirmed,
        )
    elif steps is not None and (pace := _rises(rates)) is not None:
        end = rates[-1] + pace * max(0, steps - len(rates))
        if end < _REACHED * seen.base:
            yield Found(
                f"the rate is raised by {pace:.2g} at every step, and at that pace is {end:.2g} after all {steps} steps; the optimiser was "
                f"made with {seen.base:.2g}",
                {**evidence, "pace": pace, "end": end, "base": seen.base},
                f"let the warm-up end within the {steps} steps of the training, in about a tenth of them",
                confirmed_by=confirmed,
            )


def _vanishes(rates: Sequence[float]) -> int | None:
    """The step from which on the rate is next to nothing, where it is so to the end and never rises after its highest."""
    highest = max(range(len(rates)), key=rates.__getitem__)
    low = next(
        (index for index, rate in enumerate(rates) if index > highest and rate < _VANISHED * rates[highest]), None
    )
    falls = all(later <= earlier for earlier, later in pairwise(rates[highest:]))
    return low if low is not None and falls and len(rates) - low >= _ENOUGH else None


def _rises(rates: Sequence[float]) -> float | None:
    """By how much the rate rises at every step; None where it does not, or not evenly."""
    paces = [later - earlier for earlier, later in pairwise(rates)]
    mean = sum(paces) / len(paces)
    even = mean > 0 and all(abs(one - mean) <= _EVEN * mean for one in paces)
    return mean if even else None
