"""Objectives on pairs: what is compared with what, and whether it matters which belong together."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from art_training.probes.cost import affordable, lighter
from art_training.probes.coverage import map_style
from art_training.probes.module_calls import all_alike, outermost_calls, second_exchanged
from art_training.probes.passes import examples
from art_training.probes.places import place_of_call
from art_training.probes.responses import responses, seen_inputs
from art_training.probes.specimen import Mode, Specimen
from art_training.probes.step_losses import SeenStep, steps
from art_training.records import Split
from art_training.setup.data.batch import entries, mapped, size, with_entry

_STEPS = 120
_SECONDS, _LEAST = 2.0, 40  # of one training
_RATE = 3e-3  # of Adam
_LAST = 10  # steps, whose mean loss is what was come to
_RELATIVE = 1e-5  # single precision, summed in another order
_ASKED = 512  # rows of a dataset
_OF_PAIRS = {"cosine_embedding_loss", "hinge_embedding_loss", "margin_ranking_loss"}


@dataclass(frozen=True)
class Pairing:
    """How examples are put together.

    Attributes:
        first: the entry of the batch; empty where both sides are made of one within the step.
        second: the other entry; else the module that is called for both.
        stops: whether a gradient is kept from one of the sides, as by detach, or a part of the model computes without one.
        same: the share of rows in which both sides are equal, of all batches.
        drawn: whether the loss of a batch differs from one draw of random numbers to the next.
        label: an entry that the loss follows and no layer sees, and that has one value in all batches; empty: there is none.
        value: that it has.
        rows: of all batches.
    """

    first: str
    second: str
    stops: bool
    same: float
    drawn: bool
    label: str = ""
    value: float = 0.0
    rows: int = 0


@dataclass(frozen=True)
class Shuffled:
    """The same weights trained on the pairs, and on pairs that are exchanged anew at every step.

    Attributes:
        paired: the loss before any step.
        learned: after, the mean of the last steps.
        shuffled: the loss of exchanged pairs, before any step.
        met: after; likewise.
        constant: the loss of the pairs after that training, where every example has the mean of all representations.
        spread: how far representations of different examples lie apart, as a share of their size, before any step.
        after: likewise after the training on the pairs.
        steps: of each training.
    """

    paired: float
    learned: float
    shuffled: float
    met: float
    constant: float
    spread: float
    after: float
    steps: int

    @property
    def needless(self) -> bool:
        """Whether the objective is met without learning which examples belong together.

        What is left of the loss of exchanged pairs, beside that of pairs, is at most 10 % of what was learned; a loss that is
        never negative comes within 10 % of 0, so that none that merely stands still is meant; and it is no higher where all
        examples have one representation (within 5 % of one below 0, such as a similarity, whose size is known).
        """
        gained = self.shuffled - self.met
        low = self.met <= 0.1 * self.shuffled if self.met >= 0 else True
        left = self.met - self.learned
        return (
            gained > 0
            and low
            and left <= 0.1 * gained
            and self.constant <= self.met + (1e-3 if self.met >= 0 else 0.05) * abs(self.met)
        )


def pairing(specimen: Specimen) -> Pairing | None:
    """What is paired; None where the step learns from targets, optimises by itself, or passes no two things alike."""
    if not specimen.automatic or supervised(specimen.once(steps)):
        return None
    count = size(specimen.batches[0])
    known = specimen.once(responses)
    with specimen.kept(), outermost_calls(specimen.module) as calls:
        specimen.loss(specimen.batches[0])
    stops = _stops(specimen)
    found = _entries(specimen, count, calls) if examples(specimen, specimen.batches[0]) else None
    if found is not None:
        first, second = found
        label, value = _one_label(specimen, first, second)
        rows = sum(map(size, specimen.batches))
        return Pairing(first, second, stops, _equal(specimen, first, second), _is_drawn(specimen), label, value, rows)
    twice = [module for module, given in calls if len(given) == 2 and given[0].shape == given[1].shape]
    if not twice or known is None or any(one.replaced > known.noise for one in known.entries):
        return None
    module = twice[0]
    name = next(name for name, one in specimen.module.named_modules() if one is module)
    one, other = next(given for owner, given in calls if owner is module)
    if len(one) != count or not _matters(specimen, module):
        return None
    alike = (one - other).abs().reshape(count, -1).amax(1) <= _RELATIVE * one.abs().max()
    return Pairing("", name, stops, float(alike.double().mean()), drawn=False, rows=count)


def shuffled(specimen: Specimen) -> Shuffled | None:
    """Trains on pairs and on exchanged ones; None where there are none, or a side gets no gradient."""
    found = specimen.once(pairing)
    if found is None or found.stops:
        return None
    specimen = lighter(specimen)
    count = affordable(specimen, _STEPS, seconds=_SECONDS, least=_LEAST)
    before = spread(specimen)
    right = _trained(specimen, found, count, exchanged=False)
    wrong = _trained(specimen, found, count, exchanged=True)
    if right is None or wrong is None or before is None or right[2] is None:
        return None
    return Shuffled(right[0], right[1], wrong[0], wrong[1], wrong[3], before, right[2], count)


def spread(specimen: Specimen) -> float | None:
    """How far the last representation of an example lies from that of another, as a share of its size."""
    batch = specimen.batches[0]
    outputs: list[list[Tensor]] = []
    for given in (batch, mapped(batch, lambda leaf: _rolled(leaf, size(batch), 1))):
        with (
            specimen.seeded(0),
            specimen.in_mode("evaluate"),
            specimen.graph(),
            outermost_calls(specimen.module) as calls,
        ):
            specimen.step(given, 0)
        outputs.append([one for _, many in calls for one in many[-1:]])
    if not outputs[0] or len(outputs[0]) != len(outputs[1]) or outputs[0][-1].shape != outputs[1][-1].shape:
        return None
    one, other = outputs[0][-1].double(), outputs[1][-1].double()
    return float((one - other).norm() / one.norm().clamp_min(1e-30)) / 2**0.5


def supervised(seen: Sequence[SeenStep]) -> bool:
    """Whether a loss of torch, or one written by hand, compares what is learned with an entry of the batch that varies."""
    return any(
        call.learns
        and call.name not in _OF_PAIRS
        and bool((call.target != call.target.reshape(-1)[:1]).any())
        and _is_of(call.target, one.batch)
        for one in seen
        for call in one.calls
    )


def _is_of(target: Tensor, batch: Any) -> bool:
    """Whether a target is an entry of the batch, or all but the first or the last position of one, as of sequences."""
    wanted = target.reshape(-1).double()
    parts = [
        part
        for leaf in entries(batch).values()
        if isinstance(leaf, Tensor) and not leaf.is_complex()
        for part in ((leaf, leaf[:, 1:], leaf[:, :-1], leaf[1:], leaf[:-1]) if leaf.ndim > 1 else (leaf,))
    ]
    return any(
        part.numel() == target.numel() and bool((part.detach().reshape(-1).double() == wanted).all()) for part in parts
    )


def _entries(specimen: Specimen, count: int, calls: list[tuple[nn.Module, list[Tensor]]]) -> tuple[str, str] | None:
    """Two entries of one form that pass the same layers, in two calls or in one of both."""
    batch = specimen.batches[0]
    leaves = {path: leaf for path, leaf in entries(batch).items() if isinstance(leaf, Tensor) and leaf.ndim > 1}
    if not any(len(given) > 1 or (len(given[0]) % count == 0 and len(given[0]) > count) for _, given in calls):
        return None
    seen = seen_inputs(specimen)
    alike = [
        (one, other)
        for one, other in combinations([path for path in leaves if path in seen], 2)
        if leaves[one].shape == leaves[other].shape and leaves[one].dtype == leaves[other].dtype
    ]
    # Of several the two that are equal most often.
    return max(alike, key=lambda two: _equal(specimen, *two), default=None)


def _equal(specimen: Specimen, first: str, second: str) -> float:
    """The share of rows in which two entries are equal."""
    shares: list[float] = []
    for batch in specimen.batches:
        found = entries(batch)
        one, other = found[first], found[second]
        shares.append(float((one == other).reshape(len(one), -1).all(1).double().mean()))
    return sum(shares) / len(shares)


def _one_label(specimen: Specimen, first: str, second: str) -> tuple[str, float]:
    """An entry of one 0, 1 or -1 an example that never varies and that the loss of these pairs follows, with its value.

    It says what the two are to each other: with the sides exchanged the loss is the same, or what another value of the entry
    makes of it, as where it says which is the larger. What ends an episode, or marks a domain, is not of that kind.
    """
    batch, seen = specimen.batches[0], seen_inputs(specimen)
    before, turned = (_loss(specimen, one, mode="evaluate") for one in (batch, _turned(batch, first, second)))
    for path, leaf in entries(batch).items():
        if not isinstance(leaf, Tensor) or leaf.numel() != size(batch) or path in seen:
            continue
        value = float(leaf.reshape(-1)[0])
        if abs(value) not in {0, 1} or not all(bool((entries(one)[path] == value).all()) for one in specimen.batches):
            continue
        if not _never_varies(specimen, path, value):
            continue
        other, twice = (
            _loss(specimen, with_entry(batch, path, torch.full_like(leaf, number)), mode="evaluate")
            for number in (0 if value == 1 else 1, 2 * value)
        )
        opposite = _loss(specimen, with_entry(batch, path, torch.full_like(leaf, -value)), mode="evaluate")
        near = 100 * _RELATIVE * max(map(abs, (before, other, turned)))
        if min(abs(turned - one) for one in (before, other, opposite)) > near:
            continue
        follows = abs(other - before) > 100 * _RELATIVE * max(abs(other), abs(before))
        weighs = abs(value) == 1 and abs(twice - 2 * before) <= 100 * _RELATIVE * abs(before)
        if follows and not weighs:
            return path, value
    return "", 0.0


def _never_varies(specimen: Specimen, path: str, value: float) -> bool:
    """Whether rows from all over the dataset have one value in this entry; true where they cannot be asked."""
    loaders = list(specimen.loaders.get(Split.TRAIN, {}).values())
    if len(loaders) != 1 or not map_style(loaders[0]):
        return True
    dataset: Any = loaders[0].dataset
    count = min(_ASKED, len(dataset))
    with specimen.kept():
        batch = loaders[0].collate_fn([dataset[place * len(dataset) // count] for place in range(count)])
    leaf = entries(batch).get(path)
    return not isinstance(leaf, Tensor) or bool((leaf == value).all())


def _turned(batch: Any, first: str, second: str) -> Any:
    """The batch with both sides exchanged."""
    found = entries(batch)
    return with_entry(with_entry(batch, first, found[second]), second, found[first])


def _loss(specimen: Specimen, batch: Any, *, seed: int = 0, mode: Mode = "train") -> float:
    with specimen.kept(seed=seed), torch.no_grad():
        loss = specimen.loss(batch, mode=mode)
    return 0.0 if loss is None else float(loss.detach())


def _is_drawn(specimen: Specimen) -> bool:
    losses = [_loss(specimen, specimen.batches[0], seed=seed) for seed in (0, 1)]
    return abs(losses[0] - losses[1]) > _RELATIVE * max(map(abs, losses))


def _matters(specimen: Specimen, module: nn.Module) -> bool:
    """Whether the loss changes when what the second call gives is exchanged among the examples."""
    values: list[float] = []
    for rows in (0, 1):
        with second_exchanged(module, rows):
            values.append(_loss(specimen, specimen.batches[0]))
    return abs(values[0] - values[1]) > 100 * _RELATIVE * abs(values[0])


def _trained(
    specimen: Specimen, found: Pairing, steps: int, *, exchanged: bool
) -> tuple[float, float, float | None, float] | None:
    """The loss before, and after, the spread of representations after, and the loss where all are alike."""
    with specimen.kept(seed=1):
        parameters = [one for one in specimen.module.parameters() if one.requires_grad]
        optimizer = torch.optim.Adam(parameters, lr=_RATE)
        module = dict(specimen.module.named_modules())[found.second] if not found.first else None
        losses: list[float] = []
        for step in range(steps):
            batch = specimen.batches[step % len(specimen.batches)]
            rows = 1 + step % (size(batch) - 1) if exchanged else 0
            around = nullcontext() if module is None else second_exchanged(module, rows)
            if found.first and exchanged:
                wanted, count = entries(batch)[found.second], size(batch)
                batch = mapped(batch, _exchange(wanted, count, rows))
            optimizer.zero_grad()
            with around:
                loss = specimen.loss(batch)
            if loss is None or not loss.requires_grad or not bool(torch.isfinite(loss.detach()).all()):
                return None
            losses.append(float(loss.detach()))
            loss.backward()
            optimizer.step()
        with torch.no_grad(), all_alike(specimen.module):
            constant = specimen.loss(specimen.batches[0])
        last = losses[-_LAST:]
        return (
            losses[0],
            sum(last) / len(last),
            spread(specimen),
            float("inf") if constant is None else float(constant.detach()),
        )


def _exchange(wanted: Any, count: int, rows: int) -> Callable[[Any], Any]:
    return lambda leaf: _rolled(leaf, count, rows) if leaf is wanted else leaf


def _rolled(leaf: Any, count: int, rows: int) -> Any:
    return leaf.roll(rows, 0) if isinstance(leaf, Tensor) and leaf.ndim and len(leaf) == count else leaf


def _stops(specimen: Specimen) -> bool:
    """Whether a gradient is kept from something on purpose: gradients are others where nothing is, or a part has none."""
    if not all(one.requires_grad for one in specimen.module.parameters()):
        return True
    as_it_is = _gradients(specimen)
    with _Joined() as joined:
        whole = _gradients(specimen)
    return joined.undone and any(
        not torch.allclose(one, other, rtol=1e-3, atol=1e-3 * float(one.abs().max()))
        for one, other in zip(as_it_is, whole, strict=True)
    )


def _gradients(specimen: Specimen) -> list[Tensor]:
    with specimen.kept(seed=0):
        found = specimen.gradients(specimen.batches[0])
    names = dict(specimen.module.named_parameters())
    return [torch.zeros_like(names[name]) if one is None else one for name, one in found.items()]


class _Joined(TorchFunctionMode):
    """Leaves the graph whole where the user's code takes something out of it.

    Attributes:
        undone: whether it does.
    """

    def __init__(self) -> None:
        super().__init__()
        self.undone = False

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Do the call, unless it cuts."""
        del types
        detaches = func is Tensor.detach and args[0].requires_grad and args[0].ndim
        without = func.__name__ == "_set_grad_enabled" and args[0] is False
        if (detaches or without) and place_of_call():
            self.undone = True
            return args[0] if detaches else None
        return func(*args, **(kwargs or {}))
