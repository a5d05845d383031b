"""The contender that was taken, as the model that is delivered: its files, and the look back with it."""

from collections.abc import Sequence

from art_training.errors import SetupError
from art_training.records import Artifact, Reading, Split
from art_training.steps.bench import Bench
from art_training.steps.delivering.delivery import Delivery, Member
from art_training.steps.delivering.scoring import Model, Part, score
from art_training.steps.examples import LookBack
from art_training.steps.forgetting import Forgotten
from art_training.steps.looking_back import LooksBack
from art_training.steps.squeezing.contenders import Contender, Trained
from art_training.steps.weights import LAST


def keep_weights(bench: Bench, taken: Contender) -> list[Artifact]:
    """Keep the weights of every training that counts."""
    used = _used(taken)
    return [
        bench.keep(one.weights, name=_name(one, len(used)), kind="checkpoint", note=f"weights of {one.name}")
        for one, _ in used
    ]


def delivery_of(taken: Contender, temperature: float, of: str) -> Delivery:
    """What the step delivers.

    Args:
        taken: what it is.
        temperature: that is applied.
        of: the step that candidates come from.
    """
    used = _used(taken)
    members = (
        Member(_name(one, len(used)), weight, of if one.candidate else "", one.candidate) for one, weight in used
    )
    return Delivery(tuple(members), temperature)


def look_back(step: LooksBack, bench: Bench, taken: Contender, temperature: float) -> LookBack:
    """Name the examples that what is delivered does worst on."""
    if not step.examples:
        return LookBack()
    bench.say("look back at the data")
    model = Model(tuple(Part(one.name, one.setup, one.weights, weight) for one, weight in _used(taken)), temperature)
    splits = [split for split in (Split.TRAIN, Split.VALIDATION) if split in bench.splits]
    try:
        scored = score(bench, model, *splits, plain=True, keep=False)
    except SetupError as error:  # the training split may have more predictions than can be kept
        return LookBack((Reading("look back", None, note=f"not done: {error}"),))
    first = model.parts[0]
    forgotten = _together([one.forgotten for one, _ in _used(taken)])
    return step.look_back(bench, scored, weights=first.weights, setup=first.setup, forgotten=forgotten)


def _together(found: Sequence[Forgotten | None]) -> Forgotten | None:
    """What several trainings forgot, added up; None where one of them was not looked at as the others were."""
    known = [one for one in found if one is not None]
    if len(known) < len(found) or len({(one.looks, len(one.times)) for one in known}) != 1:
        return None
    times = tuple(sum(each) for each in zip(*(one.times for one in known), strict=True))
    learned = tuple(any(each) for each in zip(*(one.learned for one in known), strict=True))
    return Forgotten(known[0].looks, times, learned)


def _used(taken: Contender) -> list[tuple[Trained, float]]:
    return [(one, weight) for one, weight in taken.parts if weight > 0]


def _name(one: Trained, of: int) -> str:
    """Of its weights; by the last part retention knows them from weights that nobody delivers."""
    return LAST if of == 1 else f"{one.name}/{LAST}"
