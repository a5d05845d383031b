"""Rules on the settings of optimisers: each is held against the same training with another one."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch

from art_training.probes.specimen import Specimen
from art_training.probes.trials import Trial, Trials, trials
from art_training.probes.updates import Updates
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory, NotMeasured
from art_training.rules.rule import Found, Stage, rule

_ENOUGH = 8  # batches, of which the last quarter is two
_LEARNED = 0.25  # of the loss; what has fallen so far is learning
_STILL = 1e-3  # of the weights' norm, over the whole training: in the third digit nothing has changed
_HARDLY = 0.02  # likewise, for a model that has not learned anything yet


@rule(
    "ART521",
    "the learning rate is far too high",
    category="optimizer",
    severity=Severity.ERROR,
    stage=Stage.TRAIN,
    finds=(
        "In the last quarter of a short training under the user's own schedule the loss has not fallen by a quarter, or is no "
        "number; from the same weights on the same few batches the rate gains next to nothing either, and a tenth, hundredth or "
        "thousandth of it gains at least 30 % of the loss and three times as much. And the loss of the rate "
        "rose by half, or 240 steps (fewer of an expensive model) do not gain a quarter of it either: a plateau ends. All must be so: "
        "a high rate after a warm-up, or a task that is hard, is none. A warning where the loss of the training rose to twice what it was "
        "and fell again, and the 240 steps do not gain half of what the smaller rate gains in 40: what it jumped over left units that are silent."
    ),
    why="Each step jumps over what it aims at: the loss rises, stays, or becomes NaN.",
    wrong="torch.optim.SGD(net.parameters(), lr=10.0)",
    right="torch.optim.SGD(net.parameters(), lr=0.1)",
    source="https://arxiv.org/abs/1506.01186 (range of learning rates)",
    watches=(Updates,),
    asks=(trials,),
    symptoms=("ART318",),
)
def rate_too_high(laboratory: Laboratory) -> Found | None:
    """A training that falls when it goes slower."""
    tried = _tried(laboratory)
    losses = laboratory.get(Updates).losses
    if tried.slower is None or (tried.cause() and not tried.cause().startswith("rate x0")):
        return None
    name, slower = tried.slower
    as_it_is, later = tried.as_it_is, tried.later
    if len(losses) < _ENOUGH:
        raise NotMeasured("too few batches were trained on")
    tail = losses[-max(2, len(losses) // 4) :]
    last = sum(tail) / len(tail)
    learns = later is not None and later.gained > _LEARNED
    learned = last <= as_it_is.first - _LEARNED * abs(as_it_is.first)
    jumped = max(losses[: len(losses) // 2]) > as_it_is.first + abs(as_it_is.first)
    if (learns or learned) and not (jumped and later is not None and later.gained < 0.5 * slower.gained):
        return None
    ratios = [one for group in laboratory.get(Updates).groups.values() for one in group.ratios]
    ratio = sorted(ratios)[len(ratios) // 2] if ratios else 0.0
    rate = tried.rate * float(name.removeprefix("rate x"))
    return Found(
        f"at a rate of {tried.rate:.2g} the loss went from {as_it_is.first:.3g} to {last:.3g} in {len(losses)} batches; a step "
        f"changes the weights by {ratio:.2g} of their norm",
        {"rate": tried.rate, "first": as_it_is.first, "last": last, "ratio": ratio, "slower": slower.last},
        f"lower the rate, to about {rate:.2g}, or warm it up",
        where="configure_optimizers",
        confirmed_by=_told(as_it_is, slower, f"at {rate:.2g}")
        + ("" if later is None else f"; with {later.steps} steps it stays at {later.last:.3g}"),
        severity=Severity.WARNING if learns or learned else None,
    )


@rule(
    "ART522",
    "the learning rate is so low that nothing moves",
    category="optimizer",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "The rate is 0; or, going on as in its first steps, the whole training moves the weights by less than a thousandth of "
        "their norm (2 % where the loss is still that of guessing) and gains less than 5 % of the loss, while ten to a million "
        "times the rate gains a tenth of the loss and ten times as much in the same steps."
    ),
    why="The loss of the last epoch is that of the first: the curve is flat, as that of a model that cannot learn.",
    wrong="torch.optim.SGD(net.parameters(), lr=1e-7)",
    right="torch.optim.SGD(net.parameters(), lr=1e-1)",
    source="https://karpathy.github.io/2019/04/25/recipe/",
    settles=("few_updates",),
    trains=True,
)
def rate_too_low(laboratory: Laboratory) -> Found | None:
    """A training that would not get anywhere."""
    laboratory.settled("few_updates")
    tried = _tried(laboratory)
    if tried.rate == 0:
        return Found("the learning rate is 0", {"rate": 0.0}, "set a rate above 0", where="configure_optimizers")
    cause = tried.cause()
    if not cause.startswith("rate x1"):
        return None
    limit = _HARDLY if _guesses(laboratory, tried.as_it_is.first) else _STILL
    if tried.moves > limit:
        return None
    rate = tried.rate * float(cause.removeprefix("rate x"))
    return Found(
        f"at a rate of {tried.rate:.2g} the whole training would move the weights by {tried.moves:.2g} of their norm and gain "
        f"{max(0.0, tried.predicted):.2%} of the loss",
        {"rate": tried.rate, "moves": tried.moves, "predicted": tried.predicted, "faster": tried.others[cause].last},
        f"raise the rate, to about {rate:.2g}",
        where="configure_optimizers",
        confirmed_by=_told(tried.as_it_is, tried.others[cause], f"at {rate:.2g}"),
    )


@rule(
    "ART523",
    "a setting of the optimiser keeps it from learning",
    category="optimizer",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "Adam's epsilon is above 1e-4, its betas are the wrong way round, a momentum is 1 or more, the optimiser maximises, or "
        "gradients are cut to less than a tenth of their norm; and with this one setting as usual the same steps from the same "
        "weights gain a tenth of the loss and five times what they gain now."
    ),
    why="Such a setting is taken without a word and looks like a model that cannot learn.",
    wrong="torch.optim.Adam(net.parameters(), lr=1e-3, eps=1.0)",
    right="torch.optim.Adam(net.parameters(), lr=1e-3)  # eps=1e-8",
    source="https://docs.pytorch.org/docs/stable/generated/torch.optim.Adam.html",
    trains=True,
)
def setting(laboratory: Laboratory) -> Found | None:
    """One setting that mends the training when it is changed."""
    tried = _tried(laboratory)
    cause = tried.cause()
    if not cause or cause.startswith("rate") or cause == "no weight decay":
        return None
    return Found(
        f"as it is, {tried.as_it_is.steps} steps bring the loss from {tried.as_it_is.first:.3g} to {tried.as_it_is.last:.3g}; "
        f"with {cause}, to {tried.others[cause].last:.3g}",
        {"first": tried.as_it_is.first, "last": tried.as_it_is.last, "with": tried.others[cause].last, "change": cause},
        f"train with {cause}, which is usual",
        where="configure_optimizers",
        confirmed_by=_told(tried.as_it_is, tried.others[cause], f"with {cause}"),
    )


@rule(
    "ART524",
    "weight decay outweighs the loss",
    category="optimizer",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "What weight decay adds to the gradient has more than three times its norm; or decoupled decay holds the weights below "
        "half of what they begin with (a step of Adam and the decay are even at 1 / decay) and is reached within the training. "
        "And without it the same steps gain a tenth of the loss and twice what they gain now, or it is certain to come later: "
        "the latter is a warning."
    ),
    why="The optimiser makes weights small instead of making the loss small.",
    wrong="torch.optim.Adam(net.parameters(), lr=1e-3, weight_decay=10.0)",
    right="torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.01)",
    source="https://arxiv.org/abs/1711.05101 (decoupled weight decay)",
    trains=True,
)
def decay(laboratory: Laboratory) -> Found | None:
    """A regulariser that is the main thing."""
    tried = _tried(laboratory)
    without = tried.others.get("no weight decay")
    if without is None or tried.cause() not in {"", "no weight decay"}:
        return None
    gains = without.gained > 0.1 and without.gained > 2 * tried.as_it_is.gained
    return Found(
        f"weight decay adds {tried.decay:.2g} to a gradient of norm {tried.gradient:.2g}"
        if tried.decay > 0
        else f"weight decay holds weights far below the {tried.weights:.2g} that they begin with",
        {"decay": tried.decay, "gradient": tried.gradient, "weights": tried.weights, "without": without.last},
        "lower weight_decay to 0.1 or less",
        where="configure_optimizers",
        confirmed_by=_told(tried.as_it_is, without, "without weight decay") if gains else "",
        severity=None if gains else Severity.WARNING,
    )


@dataclass(frozen=True)
class Groups:
    """Settings of the optimisers that are wrong by themselves.

    Attributes:
        epsilons: that are 0 in the numbers of the parameters, with the type.
        momenta: of 1 or more.
        betas: whose first is larger than the second.
    """

    epsilons: tuple[tuple[float, str], ...]
    momenta: tuple[float, ...]
    betas: tuple[tuple[float, float], ...]


def groups(specimen: Specimen) -> Groups:
    """Look at the groups of all optimisers."""
    found = [one for optimizer in specimen.optimizers for one in optimizer.param_groups]
    epsilons = {
        (float(one["eps"]), str(parameter.dtype).removeprefix("torch."))
        for one in found
        if isinstance(one.get("eps"), float) and one["eps"] > 0
        for parameter in one["params"]
        if parameter.is_floating_point() and float(torch.tensor(one["eps"], dtype=parameter.dtype)) == 0
    }
    momenta = {float(one["momentum"]) for one in found if float(one.get("momentum") or 0.0) >= 1}
    betas = {
        (float(one["betas"][0]), float(one["betas"][1]))
        for one in found
        if isinstance(one.get("betas"), tuple) and float(one["betas"][0]) > float(one["betas"][1])
    }
    return Groups(tuple(sorted(epsilons)), tuple(sorted(momenta)), tuple(sorted(betas)))


@rule(
    "ART525",
    "a setting of the optimiser is out of its range",
    category="optimizer",
    severity=Severity.ERROR,
    stage=Stage.INSPECT,
    finds=(
        "An epsilon that is 0 in the half precision that the weights are kept in; a momentum of 1 or more, whose sum of past "
        "gradients grows without end; or betas of which the first is larger than the second, so that the direction is remembered "
        "for longer than its size."
    ),
    why="0 / 0 is NaN for every weight without a gradient; a momentum of 1 never forgets; swapped betas make steps explode.",
    wrong="torch.optim.Adam(net.parameters(), betas=(0.999, 0.9))",
    right="torch.optim.Adam(net.parameters(), betas=(0.9, 0.999))",
    source="https://arxiv.org/abs/1412.6980 (Adam, section 2)",
    symptoms=("ART523", "ART521"),
)
def out_of_range(laboratory: Laboratory) -> Iterable[Found]:
    """What is wrong by itself."""
    seen = laboratory.ask(groups)
    for epsilon, kind in seen.epsilons:
        yield Found(
            f"eps={epsilon:g} is 0 in {kind}, in which the weights are kept",
            {"eps": epsilon, "type": kind},
            "keep the weights in single precision (precision='16-mixed'), or set eps=1e-4",
            where="configure_optimizers",
            confirmed_by=f"torch.tensor({epsilon:g}, dtype=torch.{kind}) is 0",
        )
    for momentum in seen.momenta:
        yield Found(
            f"momentum={momentum:g}: after n steps a gradient still counts {'as much as a new one' if momentum == 1 else 'more'}",
            {"momentum": momentum},
            "set momentum=0.9",
            where="configure_optimizers",
            confirmed_by=_mended(laboratory, "momentum=0.9"),
        )
    for first, second in seen.betas:
        yield Found(
            f"betas=({first:g}, {second:g}): the gradient is remembered for longer than its square",
            {"betas": [first, second]},
            f"exchange them: betas=({second:g}, {first:g})",
            where="configure_optimizers",
            confirmed_by=_mended(laboratory, "betas=(0.9, 0.999)"),
        )


def _mended(laboratory: Laboratory, change: str) -> str:
    try:
        tried = _tried(laboratory)
    except NotMeasured:
        return ""
    other = tried.others.get(change)
    return (
        "" if other is None or other.gained <= tried.as_it_is.gained else _told(tried.as_it_is, other, f"with {change}")
    )


def _tried(laboratory: Laboratory) -> Trials:
    found = laboratory.ask(trials)
    if found is None:
        raise NotMeasured(
            "the step optimises by itself, has several optimisers or returns no loss, so that it cannot be tried"
        )
    return found


def _told(as_it_is: Trial, other: Trial, how: str) -> str:
    return (
        f"from the same weights {as_it_is.steps} steps bring the loss from {as_it_is.first:.3g} to {as_it_is.last:.3g}, and "
        f"{how} to {other.last:.3g}"
    )


def _guesses(laboratory: Laboratory, first: float) -> bool:
    """Whether a loss of classes is that of guessing, or worse."""
    task = laboratory.task
    if task is None or task.loss not in {"cross_entropy", "nll_loss"} or not task.classes:
        return False
    return first > 0.9 * float(torch.log(torch.tensor(float(task.classes))))
