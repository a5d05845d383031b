"""Rules on learning-rate schedules: stepped alone over the real number of steps, and watched in training."""

from collections.abc import Iterable
from itertools import pairwise

from art_training.probes.rates import Course, Rates, courses
from art_training.probes.specimen import Plan, Specimen
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory, NotApplicable, NotMeasured
from art_training.rules.rule import Found, Stage, rule

_VANISHED = 1e-4  # of the highest rate; a cosine is below it in its last 0.6 % of steps only
_TOO_LONG = 0.5  # of the steps, at a rate that has vanished
_LOW, _ALL_BUT = 1e-3, 0.9  # of the highest rate, in nearly all steps: a cosine is so low in its last 2 %
_ALIKE = 0.05  # by which a horizon may differ from the number of steps or epochs that it was meant to be
_TURNS = 3  # times that a cosine reaches its end; before that a second cycle may be meant


def plan_of(specimen: Specimen) -> Plan:
    """The plan, which outlives the specimen."""
    return specimen.plan


@rule(
    "ART541",
    "the learning rate vanishes early",
    category="schedule",
    severity=Severity.ERROR,
    stage=Stage.INSPECT,
    finds=(
        "Stepped alone over the real number of steps, the schedule is below a ten-thousandth of its highest rate in more than "
        "half of all steps, or below a thousandth in more than nine tenths. Schedules that end near 0 are that low in their last steps only: a cosine in the last 0.6 %. Also "
        "where the highest rate is 0. Confirmed where the same scheduler stepped after the other interval stays above."
    ),
    why=(
        "A schedule that is made for epochs and stepped after every batch has decayed before the first epoch is over. The "
        "loss falls for some steps and then stays, which looks like a model that has learned what it can."
    ),
    wrong="StepLR(optimizer, step_size=10) with interval='step'",
    right="StepLR(optimizer, step_size=10) with interval='epoch'",
    source="https://karpathy.github.io/2019/04/25/recipe/ (do not trust learning rate decay defaults)",
)
def vanishes(laboratory: Laboratory) -> Iterable[Found]:
    """A decay that is over when training has hardly begun."""
    for course in _known(laboratory):
        if course.peak <= 0:
            yield Found(
                f"{course.kind} keeps the rate at {course.peak:g} in all of {course.steps} steps",
                {"steps": course.steps, "peak": course.peak},
                "let the schedule return a factor above 0",
                confirmed_by="the schedule was stepped alone over the whole training",
            )
            continue
        limit = _vanishing(course)
        low = [rate < limit * course.peak for rate in course.rates]
        # What is not simulated comes later, and a schedule that has vanished for good stays so.
        unseen = course.steps - len(low) if len(low) > 100 and all(low[-100:]) else 0
        share = (sum(low) + unseen) / course.steps
        if (
            share <= (_TOO_LONG if limit == _VANISHED else _ALL_BUT)
            or not (course.whole or unseen)
            or (low[0] and not any(not one for one in low))
        ):
            continue
        first = len(low) - next((index for index, one in enumerate(reversed(low)) if not one), 0)
        other = next((one for one in laboratory.ask(exchanged) or () if one.kind == course.kind), None)
        kept = (
            other is not None
            and min(other.rates) > 0
            and sum(rate < limit * other.peak for rate in other.rates) <= _TOO_LONG * len(other.rates)
        )
        yield Found(
            f"{course.kind}, stepped after every {course.interval}, is below {limit:g} of its highest rate "
            f"({course.peak:.2g}) from step {first} of {course.steps} on",
            {"steps": course.steps, "share": share, "peak": course.peak, "last": course.rates[-1], "from": first},
            f"step it after every {'epoch' if course.interval == 'step' else 'step'} (interval=...), or make it for "
            f"{course.calls} calls",
            confirmed_by=(
                f"stepped after every {other.interval} instead, its lowest rate is {min(other.rates):.2g}; as it is, it ends "
                f"at {course.rates[-1]:.2g}"
                if kept and other is not None
                else ""
            ),
        )


@rule(
    "ART542",
    "the schedule is made for another number of steps",
    category="schedule",
    severity=Severity.ERROR,
    stage=Stage.INSPECT,
    finds=(
        "A scheduler that says for how many calls it is made (OneCycleLR, CosineAnnealingLR, LinearLR, PolynomialLR) is called "
        "after every epoch and is made for the number of steps, or the other way round, give or take 5 %; or a OneCycleLR "
        "ends in the first half of its course; or a schedule raises before the training is over."
    ),
    why=(
        "A cosine over 10 epochs that is stepped every batch goes up and down all the time; a OneCycleLR over all batches "
        "that is stepped every epoch never leaves its warm-up."
    ),
    wrong="OneCycleLR(optimizer, max_lr=0.1, total_steps=trainer.estimated_stepping_batches) with interval='epoch'",
    right="OneCycleLR(optimizer, max_lr=0.1, total_steps=trainer.estimated_stepping_batches) with interval='step'",
    source="https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.OneCycleLR.html",
    symptoms=("ART541", "ART543"),
)
def wrong_length(laboratory: Laboratory) -> Iterable[Found]:
    """A horizon in the other unit."""
    epochs = laboratory.ask(plan_of).epochs
    for course in _known(laboratory):
        horizon = course.horizon
        evidence = {"horizon": horizon, "calls": course.calls, "steps": course.steps, "epochs": epochs}
        other = next((one for one in laboratory.ask(exchanged) or () if one.kind == course.kind), None)
        confirmed = (
            f"stepped after every {other.interval} instead, it is called {other.calls} times and goes from "
            f"{other.rates[0]:.2g} over {other.peak:.2g} to {other.rates[-1]:.2g}; as it is, from {course.rates[0]:.2g} over "
            f"{course.peak:.2g} to {course.rates[-1]:.2g}"
            if other is not None
            else ""
        )
        if course.raised:
            yield Found(
                f"{course.kind} is called {course.calls} times and raises before ({course.raised})",
                evidence,
                "make it for the steps of the whole training, such as trainer.estimated_stepping_batches",
                confirmed_by="the schedule was stepped alone over the whole training",
            )
        elif horizon is None or not course.calls or max(course.rates) == min(course.rates):
            continue
        elif course.interval == "epoch" and _alike(horizon, course.steps) and course.calls * 2 < horizon:
            yield Found(
                f"{course.kind} is made for {horizon} calls, which is the number of steps, and is called {course.calls} times, "
                "after every epoch",
                evidence,
                "step it after every batch: interval='step'",
                confirmed_by=confirmed,
            )
        elif course.interval == "step" and epochs and _alike(horizon, epochs) and course.calls > _TURNS * horizon:
            yield Found(
                f"{course.kind} is made for {horizon} calls, which is the number of epochs, and is called {course.calls} times, "
                "after every step",
                evidence,
                "step it after every epoch: interval='epoch'; or make it for the number of steps",
                confirmed_by=confirmed,
            )
        elif course.kind == "OneCycleLR" and course.whole and 2 * course.calls < horizon:
            yield Found(
                f"OneCycleLR is made for {horizon} calls and is called {course.calls} times: the training ends at a rate of "
                f"{course.rates[-1]:.2g}",
                evidence,
                f"make it for {course.calls} calls, or step it as often as it is made for",
                confirmed_by=confirmed if other is not None and other.calls >= horizon * (1 - _ALIKE) else "",
            )
        elif course.kind == "CosineAnnealingLR" and course.calls > _TURNS * horizon:
            yield Found(
                f"CosineAnnealingLR is made for {horizon} calls and called {course.calls} times: the rate rises again after "
                "each end",
                evidence,
                f"make it for {course.calls} calls; where cycles are meant, CosineAnnealingWarmRestarts says so",
                severity=Severity.INFO,
            )


@rule(
    "ART543",
    "the warm-up outlasts the training",
    category="schedule",
    severity=Severity.ERROR,
    stage=Stage.INSPECT,
    finds=(
        "The rate never falls and still rises in the last tenth of all steps, from less than half of what it ends with; or it "
        "is 0 for a whole epoch or more at the beginning. A warm-up that begins with one step at 0 is none of these."
    ),
    why="A warm-up of thousands of steps in a training of hundreds means that the rate that was meant is never used.",
    wrong="LambdaLR(optimizer, lambda step: min(1, step / 4000))  # in a training of 300 steps",
    right="LambdaLR(optimizer, lambda step: min(1, step / (0.1 * trainer.estimated_stepping_batches)))",
    source="https://arxiv.org/abs/1706.02677 (gradual warm-up)",
)
def never_warm(laboratory: Laboratory) -> Iterable[Found]:
    """A rate that is not reached."""
    for course in _known(laboratory):
        if not course.whole or course.steps < 10 or course.peak <= 0:
            continue
        rates = course.rates
        epoch = laboratory.ask(plan_of).steps or course.steps
        epochs = laboratory.ask(plan_of).epochs or 1
        epoch = max(2, epoch // epochs)
        zero = next(index for index, rate in enumerate(rates) if rate > 0)
        rising = all(later >= earlier for earlier, later in pairwise(rates))
        if zero >= epoch:
            yield Found(
                f"the rate of {course.kind} is 0 for the first {zero} of {course.steps} steps",
                {"zero": zero, "steps": course.steps},
                "let the factor begin above 0, such as (epoch + 1) / warm-up, and count the warm-up in steps",
                confirmed_by="the schedule was stepped alone over the whole training",
            )
        elif rising and rates[-1] > rates[-max(2, len(rates) // 10)] and rates[0] < rates[-1] / 2:
            # A rate that is meant is known where the scheduler scales one.
            meant = f", of {course.base:.2g}" if course.base is not None and course.base > rates[-1] else ""
            yield Found(
                f"the rate of {course.kind} rises until the last of {course.steps} steps, from {rates[0]:.2g} to "
                f"{rates[-1]:.2g}{meant}",
                {"steps": course.steps, "first": rates[0], "last": rates[-1], "base": course.base},
                f"let the warm-up end within the training, which has {course.steps} steps",
                confirmed_by="the schedule was stepped alone over the whole training",
            )


@rule(
    "ART544",
    "the learning rate becomes negative",
    category="schedule",
    severity=Severity.ERROR,
    stage=Stage.INSPECT,
    finds="Stepped alone over the real number of steps, the schedule has a rate below 0 at some step.",
    why="A step at a negative rate climbs: what was learned before is undone.",
    wrong="LambdaLR(optimizer, lambda epoch: 1 - epoch / 5)  # in a training of 8 epochs",
    right="LambdaLR(optimizer, lambda epoch: max(0.0, 1 - epoch / epochs))",
    source="https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.LambdaLR.html",
    symptoms=("ART541",),
)
def negative(laboratory: Laboratory) -> Iterable[Found]:
    """A line that is followed beyond its end."""
    for course in _known(laboratory):
        below = [
            index for index, rate in enumerate(course.rates) if rate < -1e-6 * abs(course.peak)
        ]  # and not by rounding
        if below:
            yield Found(
                f"{course.kind} has a negative rate in {len(below)} of {course.steps} steps, from step {below[0]} on, down to "
                f"{min(course.rates):.2g}",
                {"steps": course.steps, "negative": len(below), "lowest": min(course.rates)},
                "bound the factor by 0 from below, and make it for the steps that the training has",
                confirmed_by="the schedule was stepped alone over the whole training",
            )


@rule(
    "ART547",
    "a schedule is never stepped",
    category="schedule",
    severity=Severity.ERROR,
    stage=Stage.TRAIN,
    finds=(
        "After two epochs of training, or one and as many optimiser steps as its interval asks for, a scheduler whose course "
        "changes the rate within these steps has not been called once, by its own count, and the rate has not changed."
    ),
    why=(
        "With manual optimisation the step of a scheduler is the user's; where it is forgotten the rate stays what it was at "
        "first, or at the beginning of a warm-up."
    ),
    wrong="return [optimizer], [scheduler]  # and manual optimisation without scheduler.step()",
    right="def on_train_epoch_end(self): self.lr_schedulers().step()",
    source="https://lightning.ai/docs/pytorch/stable/model/manual_optimization.html (learning rate scheduling)",
    watches=(Rates,),
    asks=(courses,),
)
def never_called(laboratory: Laboratory) -> Iterable[Found]:
    """A schedule that is only made."""
    watched = laboratory.get(Rates)
    if not watched.kinds:
        raise NotApplicable("no scheduler changes the learning rate by itself")
    for course in _known(laboratory):
        calls = [count for kind, count in zip(watched.kinds, watched.calls, strict=True) if kind == course.kind]
        seen = min(len(watched.rates), len(course.rates))
        if watched.epochs < 2 or seen < 3 or any(count is None or count > 0 for count in calls):
            continue
        if course.interval == "epoch":  # of manual optimisation it is not known how many steps an epoch has
            seen = max(seen, round(course.steps / max(1, course.calls) * watched.epochs))
        meant = course.rates[:seen]
        if max(meant) > 1.001 * min(meant) and max(watched.rates) <= 1.001 * min(watched.rates):
            yield Found(
                f"{course.kind} was not called in {watched.epochs} epochs: the rate was {watched.rates[-1]:.2g} in all of "
                f"{len(watched.rates)} steps",
                {"epochs": watched.epochs, "steps": len(watched.rates), "rate": watched.rates[-1]},
                "call scheduler.step() after each epoch or step, or let the trainer optimise",
                confirmed_by=(
                    f"stepped after every {course.interval} it goes from {meant[0]:.2g} to {meant[-1]:.2g} in as many steps"
                ),
            )


def _vanishing(course: Course) -> float:
    """The share of the highest rate below which it is gone: a thousandth where it is so low nearly all the time."""
    nearly = sum(rate < _LOW * course.peak for rate in course.rates) > _ALL_BUT * course.steps
    vanished = sum(rate < _VANISHED * course.peak for rate in course.rates) > _TOO_LONG * course.steps
    return _LOW if nearly and not vanished else _VANISHED


def exchanged(specimen: Specimen) -> tuple[Course, ...] | None:
    """The courses of the same schedulers, each stepped after the other interval."""
    return courses(specimen, exchanged=True)


def _known(laboratory: Laboratory) -> tuple[Course, ...]:
    found = laboratory.ask(courses)
    if found is None:
        raise NotMeasured("how long the training goes on is not known")
    if not found:
        raise NotApplicable("no scheduler changes the learning rate by itself")
    return found


def _alike(one: int, other: int) -> bool:
    return abs(one - other) <= max(1, _ALIKE * other)
