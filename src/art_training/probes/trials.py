"""Short trainings from the same weights on the same batches, each with one setting of the optimiser changed."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from art_training.probes.arriving import arriving
from art_training.probes.cost import affordable, cost, lighter
from art_training.probes.rates import courses
from art_training.probes.specimen import Specimen
from art_training.setup.data.batch import size

_STEPS = 40
_FEWEST = 4
_SECONDS = 1.5  # for one training, about
_ALL_SECONDS = 6.0  # for all of them, about
_PATIENCE = 240  # steps for a training that was slow to begin
_RISEN = 0.5  # of the loss; one that rises so far stands on no plateau
_PATIENT_SECONDS = 4.0  # for them, about
_OTHERS = 3  # settings that are tried however long it takes
_SUSPECT = 0.05  # of the loss; a training that is bound to gain less is compared with others
_SLOW = 0.3  # of the loss, over the steps of one trial; where less is gained a smaller rate is tried
_FASTER = (10.0, 100.0, 1e3, 1e4, 1e5, 1e6)
_SLOWER = (0.1, 0.01, 0.001)
_FAR = 10.0  # times the clip that a gradient must be; a few times is usual with transformers
_EPSILON = 1e-8  # the default of torch; others are tried where theirs is above _LARGE_EPSILON
_LARGE_EPSILON = 1e-4  # gradients of networks that are initialised well are of about this size an element, or larger


@dataclass(frozen=True)
class Trial:
    """What so many steps gained.

    Attributes:
        first: the mean loss of the batches before.
        last: after; infinite where it is no number.
        steps: of the optimiser.
        moved: the distance that the weights went, as a share of their norm.
    """

    first: float
    last: float
    steps: int
    moved: float

    @property
    def gained(self) -> float:
        """How far the loss fell, as a share of what it was; below 0 where it rose."""
        return (self.first - self.last) / max(abs(self.first), 1e-12)


@dataclass(frozen=True)
class Trials:
    """The setting as it is, and others where it was suspect.

    Attributes:
        as_it_is: at the highest rate of the schedule.
        predicted: what the whole training gains at most, if it goes on as it began; as `Trial.gained`.
        moves: likewise of the distance of the weights.
        others: by what was changed: `rate x10`, `no clipping`, ...
        rate: at which `as_it_is` was made.
        gradient: the norm of the first batch's gradient.
        decay: the norm of what weight decay adds to it; 0 where it is decoupled.
        weights: the root of the mean square of the parameters.
        later: `as_it_is` with more steps, where it stood still and a smaller rate did not; a plateau ends, and a rate that
            jumps over what it aims at goes on jumping. None where the loss rose by half.
    """

    as_it_is: Trial
    predicted: float
    moves: float
    others: Mapping[str, Trial]
    rate: float
    gradient: float
    decay: float
    weights: float
    later: Trial | None = None

    def mends(self, name: str, times: float = 10.0) -> bool:
        """Whether a change makes a training of one that is none: it gains a tenth of the loss, many times what it did."""
        other = self.others.get(name)
        return other is not None and other.gained > 0.1 and other.gained > times * self.as_it_is.gained

    def cause(self) -> str:
        """The first change that mends, settings that are seldom changed before the rate; empty where none does."""
        return next((name for name in self.others if self.mends(name, 10.0 if name.startswith("rate") else 5.0)), "")

    @property
    def slower(self) -> tuple[str, Trial] | None:
        """The best at a smaller rate, where it gains 30 % of the loss and three times as much."""
        tried = [(name, one) for name, one in self.others.items() if name.startswith("rate x0")]
        best = max(tried, key=lambda one: one[1].gained, default=None)
        return best if best is not None and best[1].gained >= max(_SLOW, 3 * self.as_it_is.gained) else None


def trials(specimen: Specimen) -> Trials | None:
    """Train for some steps as it is; and where that gains next to nothing, with one thing changed at a time.

    None where the step optimises by itself or returns no loss, or the length of the training is not known.
    """
    if (
        not specimen.automatic
        or len(specimen.optimizers) != 1
        or not any(one.requires_grad for one in specimen.module.parameters())
    ):
        return None
    specimen = lighter(specimen)
    optimizer = specimen.optimizers[0]
    rates = [float(one.get("lr", 0.0)) for one in optimizer.param_groups]
    with specimen.kept():
        known = courses(specimen)
    peak, effective = max(rates), specimen.plan.steps
    if known:
        course = known[0]
        peak = course.peak
        if course.whole and peak > 0:
            effective = max(1, round(sum(course.rates) / peak))
    base = max((float(one.get("initial_lr", one.get("lr", 0.0))) for one in optimizer.param_groups), default=0.0)
    factor = peak / base if base > 0 else 1.0
    arrived = arriving(specimen, rows=size(specimen.batches[0]))
    norms = [one for name, one in arrived.norms.items() if one is not None and name not in arrived.sparse]
    gradient = math.sqrt(sum(one * one for one in norms))
    steps = affordable(specimen, _STEPS, seconds=_SECONDS, least=_FEWEST)
    batches = specimen.batches if steps > _FEWEST else specimen.batches[:1]

    def run(
        change: Callable[[Optimizer], None] = lambda _: None,
        *,
        speed: float = 1.0,
        clip: bool = True,
        steps: int = steps,
    ) -> Trial | None:
        return _trained(specimen, batches, steps, change, speed=factor * speed, clip=clip)

    as_it_is = run()
    if as_it_is is None:
        return None
    decay, weights = _decay(optimizer)
    share = (effective or as_it_is.steps) / as_it_is.steps
    predicted, moves = as_it_is.gained * max(1.0, share), as_it_is.moved * max(1.0, share)
    found = Trials(as_it_is, predicted, moves, {}, peak, gradient, decay, weights)
    swamped = decay > 3 * found.gradient or _shrinks(optimizer, effective or 0, weights)
    suspect = effective is not None and predicted <= _SUSPECT
    others: dict[str, Trial] = {}
    each = steps * cost(specimen).of(size(specimen.batches[0]))
    most = max(_OTHERS, int(_ALL_SECONDS / max(each, 1e-9)))
    for name, make in _changes(specimen, optimizer, run, found.gradient).items():
        decays = name == "no weight decay"
        if name.startswith("rate x0"):
            tried = [one.gained for known, one in others.items() if known.startswith("rate x0")]
            # A smaller one yet, where the one before was no worse: a rate may be too high by more than ten times.
            wanted = suspect or (as_it_is.gained < _SLOW and (not tried or tried[-1] >= as_it_is.gained))
        elif name.startswith("rate"):
            if replace(found, others=others).cause():
                break
            wanted = suspect
        else:
            wanted = swamped if decays else True
        other = make() if wanted and len(others) < most else None
        if other is not None:
            others[name] = other
            now = replace(found, others=others)
            if now.slower is not None or (now.mends(name) and not name.startswith("rate x0")):
                break
    found = replace(found, others=others)
    if found.slower is None or not as_it_is.gained > -_RISEN:
        return found
    patient = affordable(specimen, _PATIENCE, seconds=_PATIENT_SECONDS, least=2 * steps)
    return replace(found, later=run(steps=patient))


def _changes(
    specimen: Specimen, optimizer: Optimizer, run: Callable[..., Trial | None], gradient: float
) -> dict[str, Callable[[], Any]]:
    """What may be changed, the most particular first."""
    options = optimizer.param_groups
    found: dict[str, Callable[[], Any]] = {}
    if any(one.get("maximize") for one in options):
        found["minimising"] = lambda: run(_with("maximize", False))
    if any(isinstance(one.get("betas"), tuple) and one["betas"][0] > one["betas"][1] for one in options):
        found["betas=(0.9, 0.999)"] = lambda: run(_with("betas", (0.9, 0.999)))
    if any(float(one.get("momentum") or 0.0) >= 1 for one in options):
        found["momentum=0.9"] = lambda: run(_with("momentum", 0.9))
    if specimen.plan.clip and gradient > _FAR * specimen.plan.clip:
        found["no clipping"] = lambda: run(clip=False)
    if any(isinstance(one.get("eps"), float) and one["eps"] > _LARGE_EPSILON for one in options):
        found["eps=1e-08"] = lambda: run(_with("eps", _EPSILON))
    if any(one.get("weight_decay") for one in options):
        found["no weight decay"] = lambda: run(_with("weight_decay", 0.0))
    for speed in (*_SLOWER, *_FASTER):
        found[f"rate x{speed:g}"] = lambda speed=speed: run(speed=speed)
    return found


def _with(name: str, value: Any) -> Callable[[Optimizer], None]:
    def change(optimizer: Optimizer) -> None:
        for one in optimizer.param_groups:
            if name in one:
                one[name] = value

    return change


def _trained(
    specimen: Specimen,
    batches: Sequence[Any],
    steps: int,
    change: Callable[[Optimizer], None],
    *,
    speed: float,
    clip: bool,
) -> Trial | None:
    optimizer = specimen.optimizers[0]
    with specimen.kept(seed=1):
        for one in optimizer.param_groups:
            one["lr"] = one.get("initial_lr", one["lr"]) * speed
        change(optimizer)
        parameters = [one for one in specimen.module.parameters() if one.requires_grad]
        before = [one.detach().clone() for one in parameters]
        first = _mean_loss(specimen, batches)
        if first is None or not math.isfinite(first):
            return None
        done = 0
        for step in range(steps):
            batch = batches[step % len(batches)]

            def closure(batch: Any = batch) -> float:
                optimizer.zero_grad()
                loss = specimen.loss(batch)
                if loss is None:
                    return math.nan
                loss.backward()
                if clip and specimen.plan.clip:
                    torch.nn.utils.clip_grad_norm_(parameters, specimen.plan.clip)
                return float(loss.detach())

            optimizer.step(closure)
            done += 1
        last = _mean_loss(specimen, batches)
        went = sum(_square(one.detach() - old) for one, old in zip(parameters, before, strict=True))
        size = sum(map(_square, before))
    last = last if last is not None and math.isfinite(last) else math.inf
    moved = math.sqrt(went / size) if size > 0 and math.isfinite(went) else math.inf
    return Trial(first, last, done, moved)


def _mean_loss(specimen: Specimen, batches: Sequence[Any]) -> float | None:
    """The mean over the batches in training mode, with the same random numbers each time."""
    with specimen.kept(seed=2), torch.no_grad():
        losses = [specimen.loss(one) for one in batches]
    numbers = [float(one.detach()) for one in losses if one is not None]
    return sum(numbers) / len(numbers) if len(numbers) == len(batches) else None


def _decay(optimizer: Optimizer) -> tuple[float, float]:
    """The norm of what weight decay adds to the gradient, and the root of the mean square of the parameters."""
    added, squares, count = 0.0, 0.0, 0
    for one in optimizer.param_groups:
        for parameter in one["params"]:
            square = _square(parameter.detach())
            squares += square
            count += parameter.numel()
            if not _decoupled(optimizer, one):
                added += float(one.get("weight_decay") or 0.0) ** 2 * square
    return math.sqrt(added), math.sqrt(squares / count) if count else 0.0


def _square(values: Tensor) -> float:
    """The sum of the squares, in double precision."""
    if not values.is_floating_point():
        return float(values.double().square().sum())
    return float(torch.linalg.vector_norm(values, dtype=torch.float64).square())


def _decoupled(optimizer: Optimizer, options: Mapping[str, Any]) -> bool:
    return "AdamW" in type(optimizer).__name__ or bool(options.get("decoupled_weight_decay"))


def _shrinks(optimizer: Optimizer, steps: int, weights: float) -> bool:
    """Whether decoupled decay holds weights below half of what they begin with, for long enough to bring them there.

    A step of Adam adds at most about the rate to an element, and the decay takes rate * decay * weight away: the two are
    even at 1 / decay, which is reached after some multiples of 1 / (rate * decay) steps.
    """
    return any(
        _decoupled(optimizer, one)
        and float(one.get("weight_decay") or 0.0) * weights > 2
        and float(one["lr"]) * float(one["weight_decay"]) * steps > 3
        for one in optimizer.param_groups
    )
