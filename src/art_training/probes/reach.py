"""Which parameters the loss depends on and no gradient reaches, and whose gradient nobody waits for."""

from contextlib import ExitStack
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.autograd.graph import allow_mutation_on_saved_tensors

from art_training.probes.arriving import arriving
from art_training.probes.cost import lighter
from art_training.probes.passes import smaller
from art_training.probes.specimen import Specimen
from art_training.probes.step_losses import totals
from art_training.probes.steps import parameters_of
from art_training.probes.whole import Whole
from art_training.setup.data.batch import mapped, size

_INDICES = 24  # of batches that a step which optimises by itself is asked: some train one part every so many
_STEPS = 3
_ROWS = 16  # that mostly do


@dataclass(frozen=True)
class Cut:
    """A part of a model that the loss depends on, and that gets no gradient.

    Attributes:
        module: its name.
        parameters: how many there are.
        change: of the loss, when its weights are changed by a tenth.
        loss: without a change.
        kept: the norm of its gradient where nothing is detached; None where there is still none.
        none: whether no gradient arrives; else one that is exactly zero.
        twin: whether another module has the very same weights and gets a gradient, as a teacher's student does.
        owned: whether an optimiser holds it.
        loaded: whether all of it was loaded while the model was made.
        where: file and line of what detaches on the way.
    """

    module: str
    parameters: int
    change: float
    loss: float
    kept: float | None
    none: bool
    twin: bool
    owned: bool
    loaded: bool
    where: str


@dataclass(frozen=True)
class Reach:
    """What gradients reach.

    Attributes:
        cuts: parts that the loss depends on and no gradient reaches.
        unused: parameters that the loss does not depend on.
        reached: how many parameters get one.
    """

    cuts: tuple[Cut, ...]
    unused: tuple[str, ...]
    reached: int


def reach(specimen: Specimen) -> Reach:
    """Which parameters get a gradient, and whether the loss depends on the others."""
    specimen = lighter(specimen)
    trains = {name: one for name, one in specimen.module.named_parameters() if one.requires_grad}
    if specimen.automatic:
        first = arriving(specimen, rows=_ROWS).norms
        if all(first.get(name) for name in trains):
            return Reach((), (), len(trains))
    norms = _norms(specimen)
    missing = [name for name in trains if norms.get(name) is None]
    silent = [name for name in trains if norms.get(name) == 0.0]
    if silent:
        silent = _still_silent(specimen, silent)
    if not missing and not silent:
        return Reach((), (), len(trains))
    mode = Whole()
    kept = _norms(specimen, mode) if missing else {}
    before = _totals(specimen)
    cuts: list[Cut] = []
    unused: list[str] = []
    held = {id(one) for optimizer in specimen.optimizers for one in parameters_of(optimizer)}
    for none, names in ((True, missing), (False, silent)):
        for module, members in _by_module(specimen.module, names).items():
            change = _change(specimen, [trains[one] for one in members], before)
            if not change > 1e-6 * sum(map(abs, before)):
                unused += members
                continue
            found = [norm for one in members if (norm := kept.get(one)) is not None]
            cuts.append(
                Cut(
                    module=module,
                    parameters=len(members),
                    change=change,
                    loss=sum(before),
                    kept=max(found) if found and max(found) > 0 else None,
                    none=none,
                    twin=_has_twin(specimen.module, module, set(missing)),
                    owned=any(id(trains[one]) in held for one in members),
                    loaded=all(one in specimen.loaded for one in members),
                    where=mode.where if none else "",
                )
            )
    return Reach(tuple(cuts), tuple(unused), len(trains) - len(missing) - len(silent))


def _norms(specimen: Specimen, around: Whole | None = None) -> dict[str, float | None]:
    """The largest gradient of each parameter over the batches; None where none arrives."""
    norms: dict[str, float | None] = {}
    names = {id(one): name for name, one in specimen.module.named_parameters()}

    def arrived(parameter: Tensor) -> None:
        if parameter.grad is not None:
            name = names[id(parameter)]
            norms[name] = max(norms.get(name) or 0.0, float(parameter.grad.norm()))

    handles = [
        one.register_post_accumulate_grad_hook(arrived) for one in specimen.module.parameters() if one.requires_grad
    ]
    try:
        with specimen.kept(), ExitStack() as stack:
            if around is not None:
                # What one loss shares with the next, since nothing is detached, is differentiated again after a step.
                stack.enter_context(allow_mutation_on_saved_tensors())
                stack.enter_context(around)
            if specimen.automatic:
                first = specimen.batches[0]
                for batch in (smaller(first, size(first), _ROWS), *specimen.batches):
                    specimen.module.zero_grad()
                    loss = specimen.loss(batch)
                    if loss is not None and loss.requires_grad:
                        loss.backward()
                    if len(norms) == len(handles) and all(norms.values()):
                        break
            else:
                for index in range(_INDICES):
                    batch = specimen.batches[index % len(specimen.batches)]
                    specimen.step(mapped(batch, lambda leaf: leaf), index)
    finally:
        for one in handles:
            one.remove()
    return norms


def _still_silent(specimen: Specimen, names: list[str]) -> list[str]:
    """Of these, the parameters whose gradient is still exactly zero when the others have been changed a little.

    What is initialised with zeros lets no gradient through before its first step.
    """
    with specimen.kept():
        moving = [one for one in specimen.module.parameters() if one.requires_grad]
        with torch.no_grad():
            for _ in range(_STEPS):
                for one in moving:
                    if not bool(one.any()):
                        one.add_(torch.randn_like(one), alpha=0.02)
        norms = _norms(specimen)
    return [name for name in names if norms.get(name) == 0.0]


def _totals(specimen: Specimen) -> list[float]:
    """What the step differentiates, one by one: what two adversaries lose may add up to a constant."""
    return [one for batch in specimen.batches[:2] for one in totals(specimen, batch, mode="train")]


def _change(specimen: Specimen, parameters: list[nn.Parameter], before: list[float]) -> float:
    """How far the loss moves when these parameters do."""
    with specimen.kept(seed=1):
        with torch.no_grad():
            for one in parameters:
                size = float(one.std()) if one.numel() > 1 and bool(one.any()) else 1.0
                one.add_(torch.randn_like(one), alpha=max(0.1 * size, 1e-3))
        after = _totals(specimen)
        if len(after) != len(before):
            return abs(sum(after) - sum(before))
        return sum(abs(one - other) for one, other in zip(after, before, strict=True))


def _by_module(root: nn.Module, names: list[str]) -> dict[str, list[str]]:
    """Parameters by the largest part of the model that trains none but them."""
    trains = [name for name, one in root.named_parameters() if one.requires_grad]
    found: dict[str, list[str]] = {}
    for name in names:
        parts = name.split(".")
        prefixes = [".".join(parts[: end + 1]) for end in range(len(parts))]
        whole = (
            prefix
            for prefix in prefixes
            if all(one in names for one in trains if one == prefix or one.startswith(f"{prefix}."))
        )
        found.setdefault(next(whole, name), []).append(name)
    return found


def _has_twin(root: nn.Module, name: str, missing: set[str]) -> bool:
    modules = dict(root.named_modules())
    mine = modules.get(name)
    if mine is None:
        return False
    values = list(mine.parameters())
    for other, module in modules.items():
        if module is mine or not other or other.startswith(f"{name}.") or name.startswith(f"{other}."):
            continue
        theirs = list(module.named_parameters())
        if len(theirs) != len(values) or not theirs or all(f"{other}.{one}" in missing for one, _ in theirs):
            continue
        if all(a.shape == b.shape and torch.equal(a, b) for a, (_, b) in zip(values, theirs, strict=True)):
            return True
    return False
