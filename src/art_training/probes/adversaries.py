"""Two parts of a model that learn against each other, and whether one is moved by what the other is to learn."""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.overrides import TorchFunctionMode

from art_training.probes.cost import lighter
from art_training.probes.module_calls import hooked
from art_training.probes.specimen import Specimen
from art_training.probes.steps import parameters_of
from art_training.setup.data.batch import entries, mapped

_CALLS = 12  # of the training step: some train one part several times as often as the other
_CHANGED = 1e-3  # of the gradients that steps use
_MIDDLE = 0.5  # between 0 and 1, which a squared error calls made and real; any number does for a logit or a distance

Part = Literal["judge", "maker"]


@dataclass(frozen=True)
class Adversaries:
    """A part that judges what another one makes, beside what is real, and how each is moved.

    Attributes:
        judge: its name: it is called on what is made with a loss that wants it judged one way, with a loss that wants it judged
            the other way, and on something else with the former.
        maker: the name of the other.
        judge_moved: by how much the gradients that steps use at the judge change when the loss of the maker gives it none, as a
            share of what they are then.
        maker_moved: the same of the maker, and the loss of the judge.
        optimizers: how many there are.
        automatic: whether the trainer optimises.
    """

    judge: str
    maker: str
    judge_moved: float
    maker_moved: float
    optimizers: int
    automatic: bool

    @property
    def mixed(self) -> bool:
        """Whether one is moved by what the other is to learn."""
        return max(self.judge_moved, self.maker_moved) > _CHANGED


@dataclass
class _Call:
    """One call of an outermost module.

    Attributes:
        module: which.
        number: of the call, among all of this module.
        given: the first tensor that entered; with its graph.
        output: what it gave.
        signs: of what a loss does to it: of each loss, for each half of its rows, 1 where every number is to fall, -1 where
            every one is to rise, 0 else.
    """

    module: nn.Module
    number: int
    given: Tensor
    output: Tensor
    signs: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])


@dataclass
class _Run:
    calls: list[_Call] = field(default_factory=list[_Call])
    used: list[dict[int, Tensor]] = field(default_factory=list[dict[int, Tensor]])


def adversaries(specimen: Specimen) -> Adversaries | None:
    """The first two; None where there are none."""
    specimen = lighter(specimen)
    seen = _run(specimen, {})
    names = {id(one): name for name, one in specimen.module.named_modules()}
    modules = list(dict.fromkeys(one.module for one in seen.calls))
    for judge, maker in ((one, other) for one in modules for other in modules):
        if not _judges(seen, judge, maker):
            continue
        found = _opposed(_run(specimen, {}, undecided=judge), judge, maker)
        if found is not None:
            of_maker, of_judge = found
            without = _run(specimen, {(judge, number): "judge" for number in of_maker})
            apart = _run(specimen, {(judge, number): "maker" for number in of_judge})
            return Adversaries(
                judge=names[id(judge)],
                maker=names[id(maker)],
                judge_moved=_change(seen, without, judge),
                maker_moved=_change(seen, apart, maker),
                optimizers=len(specimen.optimizers),
                automatic=specimen.automatic,
            )
    return None


def _judges(seen: _Run, judge: nn.Module, maker: nn.Module) -> bool:
    """Whether one is called on what the other made, more than once or on more than that, and both have parameters."""
    if judge is maker or not all(any(True for _ in one.parameters()) for one in (judge, maker)):
        return False
    made = [one.output for one in seen.calls if one.module is maker]
    calls = [one for one in seen.calls if one.module is judge]
    return len(calls) > 1 and any(_is_made(half, made) for one in calls for half in (one.given, *one.given.chunk(2)))


def _opposed(seen: _Run, judge: nn.Module, maker: nn.Module) -> tuple[list[int], list[int]] | None:
    """Calls of the judge by which the maker learns, and those on what it made that want the opposite; None where it is no judge."""
    made = [one.output for one in seen.calls if one.module is maker]
    pieces = [(call, *piece) for call in seen.calls if call.module is judge for piece in _pieces(call, made)]
    wanted = {sign for call, fake, sign in pieces if fake and call.given.requires_grad}
    for sign in wanted:
        learned = [call.number for call, fake, one in pieces if fake and one == sign and call.given.requires_grad]
        opposed = [call.number for call, fake, one in pieces if fake and one == -sign]
        real = [call.number for call, fake, one in pieces if not fake and one == sign and not call.given.requires_grad]
        joined = [one for one in opposed if one in real]  # both in one call
        if learned and opposed and (real or joined):
            return sorted(set(learned) - set(opposed)), sorted(set(opposed))
    return None


def _pieces(call: _Call, made: Sequence[Tensor]) -> list[tuple[bool, int]]:
    """Of each part of a call whether it was made by the maker, and which way a loss wants it."""
    halves = [call.given] if len(call.given) < 2 else list(call.given.chunk(2))
    fakes = [_is_made(call.given, made)] * 2
    if not fakes[0] and len(halves) == 2:
        fakes = [_is_made(one, made) for one in halves]
    found = [(fake, sign) for signs in call.signs for fake, sign in zip(fakes, signs, strict=True) if sign]
    return list(dict.fromkeys(found))


def _is_made(given: Tensor, made: Sequence[Tensor]) -> bool:
    values = given.detach()
    return any(
        values.numel() == one.numel() and torch.equal(values.reshape(-1), one.detach().reshape(-1)) for one in made
    )


def _change(seen: _Run, other: _Run, part: nn.Module) -> float:
    """By how much the gradients that steps use at a part differ between two runs, as a share of those of the other."""
    keys = {id(one) for one in part.parameters()}
    if len(seen.used) != len(other.used):
        return 0.0
    apart = whole = 0.0
    for one, two in zip(seen.used, other.used, strict=True):
        for key in keys & (one.keys() | two.keys()):
            first, second = one.get(key), two.get(key)
            apart += float(((0 if first is None else first) - (0 if second is None else second)).square().sum())  # type: ignore[union-attr]
            whole += 0.0 if second is None else float(second.square().sum())
    return (apart / whole) ** 0.5 if whole > 0 else 0.0


def _run(specimen: Specimen, cut: Mapping[tuple[nn.Module, int], Part], *, undecided: nn.Module | None = None) -> _Run:
    """Some calls of the training step, whose optimiser steps leave all as it is.

    Args:
        specimen: whose step.
        cut: calls of a module, by their numbers, that give no gradient to its own parameters (`judge`), or to what made its
            input (`maker`).
        undecided: a module that gives one number for everything, with the graph of what it gave.
    """
    run = _Run()
    with specimen.kept(), ExitStack() as stack:
        for optimizer in specimen.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = 0.0
            optimizer.zero_grad()
            stack.callback(optimizer.register_step_pre_hook(_noting(run)).remove)
        stack.enter_context(_calls(specimen.module, run, cut, undecided))
        stack.enter_context(specimen.in_mode("train"))
        stack.enter_context(torch.enable_grad())
        for index in range(1 if specimen.automatic else _CALLS):
            batch = specimen.batches[index % len(specimen.batches)]
            with _Differentiating(run):
                returned = specimen.step(mapped(batch, lambda leaf: leaf), index)
            if specimen.automatic:
                loss = returned.get("loss") if isinstance(returned, Mapping) else returned
                _learn(specimen, run, loss)
    for one in run.calls:
        one.given, one.output = one.given.detach().requires_grad_(one.given.requires_grad), one.output.detach()
    return run


def _learn(specimen: Specimen, run: _Run, loss: Any) -> None:
    """What the trainer does with a loss that is returned."""
    if isinstance(loss, Tensor) and loss.requires_grad:
        _note_signs(run, loss)
        loss.backward()
        for optimizer in specimen.optimizers:
            _noting(run)(optimizer)


def _noting(run: _Run) -> Callable[..., None]:
    def stepping(optimizer: Optimizer, *_: Any) -> None:
        run.used.append(
            {id(one): one.grad.detach().clone() for one in parameters_of(optimizer) if one.grad is not None}
        )

    return stepping


def _note_signs(run: _Run, total: Tensor) -> None:
    """What a loss does to what modules gave."""
    if not run.calls or total.grad_fn is None:
        return
    open_calls = [one for one in run.calls if one.output.requires_grad]
    slopes = torch.autograd.grad(
        total, [one.output for one in open_calls], torch.ones_like(total), retain_graph=True, allow_unused=True
    )
    for call, slope in zip(open_calls, slopes, strict=True):
        if slope is not None and bool(slope.any()):
            halves = [slope, slope] if len(slope) < 2 else list(slope.chunk(2))
            call.signs.append((_sign(halves[0]), _sign(halves[-1])))


def _sign(slope: Tensor) -> int:
    return (
        1
        if bool((slope >= 0).all()) and bool(slope.any())
        else -1
        if bool((slope <= 0).all()) and bool(slope.any())
        else 0
    )


@contextmanager
def _calls(
    root: nn.Module, run: _Run, cut: Mapping[tuple[nn.Module, int], Part], undecided: nn.Module | None
) -> Generator[None]:
    depth = 0
    counts: dict[nn.Module, int] = {}
    frozen: list[tuple[nn.Parameter, bool]] = []

    def enter(module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
        nonlocal depth
        depth += 1
        if depth > 1:
            return None
        what = cut.get((module, counts.get(module, 0)))
        if what == "judge":
            frozen.extend((one, one.requires_grad) for one in module.parameters())
            for one, _ in frozen:
                one.requires_grad_(False)
        if what == "maker":
            return tuple(one.detach() if isinstance(one, Tensor) else one for one in args)
        return None

    def leave(module: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
        nonlocal depth
        depth -= 1
        if depth:
            return output
        number = counts.get(module, 0)
        counts[module] = number + 1
        for one, requires in frozen:
            one.requires_grad_(requires)
        frozen.clear()
        given = next((one for one in args if isinstance(one, Tensor) and one.is_floating_point() and one.ndim), None)
        found = [
            one for one in entries(output).values() if isinstance(one, Tensor) and one.is_floating_point() and one.ndim
        ]
        if given is not None and found and not cut:
            if module is undecided and isinstance(output, Tensor):
                output = found[-1] = output - output.detach() + _MIDDLE
            run.calls.append(_Call(module, number, given, found[-1]))
        return output

    try:
        with hooked(root, enter, leave):
            yield
    finally:  # where a forward raised
        for one, requires in frozen:
            one.requires_grad_(requires)


class _Differentiating(TorchFunctionMode):
    """Looks at each loss before a step differentiates it."""

    def __init__(self, run: _Run) -> None:
        super().__init__()
        self._run = run

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Do the call, looking first at what it differentiates."""
        del types
        if func is Tensor.backward:
            _note_signs(self._run, args[0])
        return func(*args, **(kwargs or {}))
