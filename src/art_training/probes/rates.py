"""The learning rate of every step of the training, told without training: schedulers stepped alone."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch

from art_training.probes.monitor import Moment
from art_training.probes.specimen import Plan, Schedule, Specimen
from art_training.probes.steps import StepWatch
from art_training.setup.data.batch import mapped

_MOST = 200_000  # steps of a schedule, times groups, that are followed: each takes about 10 microseconds
_PLATEAU = "ReduceLROnPlateau"


@dataclass(frozen=True)
class Course:
    """The rate of one scheduler's optimiser over the optimiser steps of the whole training.

    Attributes:
        kind: class of the scheduler.
        interval: what it is stepped after.
        base: the optimiser's rate without the scheduler; None where it is not known.
        rates: the highest of the groups at each optimiser step, the first included.
        steps: optimiser steps of the whole training.
        calls: of the scheduler over these.
        horizon: the calls that the scheduler itself is made for; None where it names none.
        raised: what it raised when it was stepped so often; empty where nothing.
    """

    kind: str
    interval: str
    base: float | None
    rates: tuple[float, ...]
    steps: int
    calls: int
    horizon: int | None
    raised: str = ""

    @property
    def whole(self) -> bool:
        """Whether every step is known."""
        return len(self.rates) == self.steps

    @property
    def peak(self) -> float:
        """The highest rate."""
        return max(self.rates)


def length(plan: Plan) -> tuple[int, int] | None:
    """Optimiser steps of the training, and of an epoch; None where they are not known."""
    if not plan.batches or plan.steps is None or plan.steps < 1:
        return None
    return plan.steps, max(1, -(-plan.batches // max(1, plan.accumulate)))


def courses(specimen: Specimen, *, exchanged: bool = False) -> tuple[Course, ...] | None:
    """The course of every scheduler that waits for no value; None where the length of the training is not known.

    Args:
        specimen: within `kept()`.
        exchanged: step each after the other interval.
    """
    if not specimen.schedules:
        return ()
    known = length(specimen.plan)
    if known is None:
        return None
    key = courses, exchanged
    if key not in specimen.notes:
        specimen.notes[key] = _courses(specimen, known, exchanged=exchanged)
    return specimen.notes[key]


def _courses(specimen: Specimen, known: tuple[int, int], *, exchanged: bool) -> tuple[Course, ...]:
    other: Mapping[str, Literal["step", "epoch"]] = {"step": "epoch", "epoch": "step"}
    return tuple(
        _course(replace(one, interval=other[one.interval]) if exchanged else one, *known)
        for one in _as_stepped(specimen)
        if _kind(one) != _PLATEAU
    )


def _as_stepped(specimen: Specimen) -> Sequence[Schedule]:
    """The schedules with the interval that they have; where the step optimises by itself, it says which by calling them."""
    if specimen.automatic:
        return specimen.schedules
    before = [_calls(one.scheduler) for one in specimen.schedules]
    try:
        with specimen.kept(), specimen.in_mode("train"), torch.enable_grad():
            specimen.step(mapped(specimen.batches[0], lambda leaf: leaf), 0)
            after = [_calls(one.scheduler) for one in specimen.schedules]
    except Exception:  # noqa: BLE001  The user's code; what it would do is not known.
        return specimen.schedules
    called = [was is not None and now == was + 1 for was, now in zip(before, after, strict=True)]
    return [
        replace(one, interval="step", frequency=1) if stepped else one
        for one, stepped in zip(specimen.schedules, called, strict=True)
    ]


def _course(schedule: Schedule, steps: int, epoch: int) -> Course:
    scheduler, frequency = schedule.scheduler, max(1, schedule.frequency)
    every = frequency * (epoch if schedule.interval == "epoch" else 1)
    rates: list[float] = []
    calls, raised = 0, ""
    groups: list[dict[str, Any]] = scheduler.optimizer.param_groups
    followed = min(steps, max(1, _MOST // len(groups)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the optimiser was not stepped before, and of old ways to step
        for step in range(followed):
            rates.append(max(float(one["lr"]) for one in groups))
            if (step + 1) % every == 0 and not raised:
                try:
                    scheduler.step()
                except Exception as error:  # noqa: BLE001  The end of a schedule that is made for fewer steps, or its mistake
                    raised = f"{type(error).__name__}: {error}"
                calls += 1
    bases = [float(one["initial_lr"]) for one in groups if "initial_lr" in one]
    return Course(
        _kind(schedule),
        schedule.interval,
        max(bases, default=None),
        tuple(rates),
        steps,
        calls,
        _horizon(scheduler),
        raised,
    )


def _kind(schedule: Schedule) -> str:
    return type(schedule.scheduler).__name__


def _horizon(scheduler: Any) -> int | None:
    for name in ("total_steps", "T_max", "total_iters"):
        value = getattr(scheduler, name, None)
        if isinstance(value, int | float) and value > 0:
            return int(value)
    return None


@dataclass(frozen=True)
class Plateau:
    """What a scheduler that waits for a value would do if the value got better, or stayed, all the time.

    Attributes:
        monitor: name of the value.
        mode: `min` or `max`.
        patience: looks without a better value that it bears.
        base: the rate at first.
        looks: at the value over the whole training; None where it is not known.
        between: looks between two validations; None where it is not known.
        rising: the rate after `looks` at a value that rises at each.
        other: the same with the other mode.
    """

    monitor: str
    mode: str
    patience: int
    base: float
    looks: int | None
    between: int | None
    rising: float
    other: float


def plateaus(specimen: Specimen) -> tuple[Plateau, ...]:
    """Every scheduler that waits for a value."""
    return tuple(_plateau(one, specimen.plan) for one in specimen.schedules if _kind(one) == _PLATEAU)


def _plateau(schedule: Schedule, plan: Plan) -> Plateau:
    scheduler, frequency = schedule.scheduler, max(1, schedule.frequency)
    known = length(plan)
    looks = between = None
    if known is not None:
        steps, epoch = known
        looks = max(1, steps // (frequency * (epoch if schedule.interval == "epoch" else 1)))
        if schedule.interval == "step":
            between = epoch * max(1, plan.validates_every) // frequency
    base = max(float(one["lr"]) for one in scheduler.optimizer.param_groups)
    mode = str(scheduler.mode)
    count = min(looks or 50, 500)
    rising = _fed(scheduler, mode, count)
    other = _fed(scheduler, "max" if mode == "min" else "min", count)
    return Plateau(schedule.monitor, mode, int(scheduler.patience), base, looks, between, rising, other)


def _fed(scheduler: Any, mode: str, looks: int) -> float:
    """The rate after a value that rises at every look; everything is as it was afterwards."""
    groups: list[dict[str, Any]] = scheduler.optimizer.param_groups
    before, state = [one["lr"] for one in groups], dict(scheduler.__dict__)
    try:
        scheduler.mode = mode
        if hasattr(scheduler, "_init_is_better"):
            scheduler._init_is_better(mode, scheduler.threshold, scheduler.threshold_mode)  # noqa: SLF001
        scheduler.best = float("inf") if mode == "min" else float("-inf")
        scheduler.num_bad_epochs = scheduler.cooldown_counter = 0
        for look in range(looks):
            scheduler.step(0.1 + 0.8 * (look + 1) / looks)
        return max(float(one["lr"]) for one in groups)
    finally:
        scheduler.__dict__.clear()
        scheduler.__dict__.update(state)
        for one, rate in zip(groups, before, strict=True):
            one["lr"] = rate


class Rates(StepWatch):
    """Sees the rate of every step, and whether schedulers are stepped.

    Attributes:
        rates: the highest of each optimiser step, in order.
        base: the highest that optimisers had as training began.
        optimizers: how many stepped.
        epochs: completed.
        calls: of each scheduler, as it counts them itself; None where it does not.
        kinds: classes of the schedulers.
        values: of what was logged, at the end of each epoch, by name.
    """

    def __init__(self) -> None:
        super().__init__()
        self.rates: list[float] = []
        self.base = 0.0
        self.optimizers = 0
        self.epochs = 0
        self.calls: list[int | None] = []
        self.kinds: list[str] = []
        self.values: dict[str, list[float]] = {}
        self._stepped: set[int] = set()

    def beginning(self, moment: Moment) -> None:
        """Note what the rate is before anything sets it."""
        super().beginning(moment)
        groups = [group for optimizer in moment.optimizers for group in optimizer.param_groups]
        self.base = max((float(one.get("lr", 0.0)) for one in groups), default=0.0)

    def epoch_ended(self, moment: Moment) -> None:
        """Look at the schedulers."""
        self.epochs += 1
        for name, value in (moment.logged or {}).items():
            self.values.setdefault(name, []).append(float(value))

    def stepped(self, moment: Moment) -> None:
        """Look at how far the schedulers are."""
        self.kinds = [type(one).__name__ for one in moment.schedulers]
        self.calls = [_calls(one) for one in moment.schedulers]

    def after_step(self, optimizer: Any) -> None:
        """Note the rate."""
        self._stepped.add(id(optimizer))
        self.optimizers = len(self._stepped)
        self.rates.append(max(float(one.get("lr", 0.0)) for one in optimizer.param_groups))


def _calls(scheduler: Any) -> int | None:
    count = getattr(scheduler, "_step_count", None)
    if isinstance(count, int):
        return count - 1  # a scheduler is stepped once where it is made
    count = getattr(scheduler, "last_epoch", None)
    return count if isinstance(count, int) else None
