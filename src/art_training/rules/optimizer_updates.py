"""Rules on what optimiser steps leave: updates that are lost, moments that are lost, gradients that are too large."""

from collections.abc import Iterable

import torch

from art_training.probes.updates import Moved, Updates
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory, NotApplicable, NotMeasured
from art_training.rules.optimizer import modules_of
from art_training.rules.rule import Found, Stage, rule

_ENOUGH = 3  # steps
_LOST = 0.1  # share of elements that still change; of an update that is kept all do but those that round to nothing
_WORKS = 0.5
_KEPT = 0.5  # of what steps meant to add: with less than half of it twice the steps do not come as far
_HALF = (torch.float16, torch.bfloat16)
_REMEDY = "keep the weights in single precision (precision='bf16-mixed'), or sum with Kahan's method"


@rule(
    "ART531",
    "updates do not arrive in the weights",
    category="optimizer",
    severity=Severity.ERROR,
    stage=Stage.TRAIN,
    finds=(
        "Weights are compared bit by bit before and after steps that used a gradient at a rate above 0. In half precision: "
        "less than half of what steps add arrives, told by the same steps in single precision and along them, so that what is rounded at "
        "random is kept; an error where less than a tenth of the elements with a gradient changed, over at least half "
        "of all weights, else a warning. In other precisions: parameters of which no element ever changed, where the same step changes "
        "most of them in single precision."
    ),
    why=(
        "bfloat16 has 8 binary digits: an update below a 256th of a weight is rounded away, each time. Loss and gradients look "
        "as they should, and the weights stay. Optimisers that write into a copy do the same in any precision."
    ),
    wrong="model.to(torch.bfloat16); torch.optim.AdamW(model.parameters(), lr=1e-4)",
    right="Trainer(precision='bf16-mixed')  # weights in single precision",
    source="https://arxiv.org/abs/1710.03740 (mixed precision training, section 3.1: master weights)",
    watches=(Updates,),
)
def updates_lost(laboratory: Laboratory) -> Iterable[Found]:
    """A gradient, a step, and the same weights."""
    seen = {name: one for name, one in laboratory.get(Updates).parameters.items() if one.steps >= _ENOUGH}
    half = {name: one for name, one in seen.items() if one.dtype in _HALF}
    lost = {
        name: one for name, one in half.items() if one.changed < _LOST * one.touched and (one.control or 0) > _WORKS
    }
    most = 2 * sum(one.touched for one in lost.values()) >= sum(one.touched for one in half.values())
    if lost and most and _kept(lost) < _KEPT:
        kind = str(next(iter(lost.values())).dtype).removeprefix("torch.")
        yield _found(
            lost,
            f"in {kind}, ",
            _REMEDY,
        )
    elif half and (found := _short(half)) is not None:
        yield found
    fixed = {
        name: one
        for name, one in seen.items()
        if one.dtype not in _HALF and one.still == one.steps and (one.control or 0) > _WORKS
    }
    if fixed:
        yield _found(fixed, "", "let the optimiser write into the parameters themselves, in place and without a copy")


def _kept(half: dict[str, Moved]) -> float:
    """The share of what steps meant to add that arrived; 0 where their optimiser could not be made again."""
    meant = sum(one.meant for one in half.values())
    return sum(one.done for one in half.values()) / meant if meant > 0 else 0.0


def _short(half: dict[str, Moved]) -> Found | None:
    """Steps of which some arrive, and less than half of what they mean."""
    kept = _kept(half)
    if kept >= _KEPT or not any(one.meant for one in half.values()):
        return None
    kind = str(next(iter(half.values())).dtype).removeprefix("torch.")
    changed = sum(one.changed for one in half.values()) / sum(one.touched for one in half.values())
    return Found(
        f"in {kind}, of what steps add to the weights {kept:.0%} arrives: {changed:.0%} of those with a gradient change",
        {"kept": kept, "changed": changed, "parameters": len(half)},
        _REMEDY,
        where=modules_of(half),
        confirmed_by=f"made again in single precision the same steps add all of it, of which {1 - kept:.0%} is rounded away here",
        severity=Severity.WARNING,
    )


def _found(lost: dict[str, Moved], where: str, remedy: str) -> Found:
    touched, changed = sum(one.touched for one in lost.values()), sum(one.changed for one in lost.values())
    control = sum((one.control or 0.0) * one.touched for one in lost.values()) / touched
    return Found(
        f"{where}a step changes {changed / touched:.1%} of the weights of {modules_of(lost)} that have a gradient",
        {"parameters": len(lost), "changed": changed / touched, "control": control},
        remedy,
        where=modules_of(lost),
        confirmed_by=f"the same step in single precision changes {control:.0%} of them",
    )


@rule(
    "ART532",
    "an optimiser begins anew with every epoch",
    category="optimizer",
    severity=Severity.ERROR,
    stage=Stage.TRAIN,
    finds=(
        "At the first step of an epoch, what the optimiser of the same parameters had gathered is gone: it counts fewer steps "
        "than before, or holds nothing. In every epoch that was seen but the first; a warning where only one was."
    ),
    why="Adam's moments and a momentum are lost, and its bias correction starts over: each epoch begins with oversized steps.",
    wrong="def on_train_epoch_start(self): self.trainer.optimizers = [Adam(self.parameters())]",
    right="make the optimiser once, in configure_optimizers",
    source="https://github.com/CodefyUI/CodefyUI/pull/147",
    watches=(Updates,),
)
def moments_lost(laboratory: Laboratory) -> Found | None:
    """A memory that does not last."""
    seen = laboratory.get(Updates)
    later = sorted(seen.began)[1:]
    if not later:
        raise NotMeasured("the short training did not come to a second epoch")
    if not seen.resets or set(seen.resets) != set(later):
        return None
    return Found(
        f"at the first step of {'epoch' if len(later) == 1 else 'epochs'} {', '.join(map(str, later))} what the optimiser had "
        "gathered was gone",
        {"resets": list(seen.resets), "epochs": len(seen.began)},
        "make the optimiser once and keep it; to change a rate, change it in its groups or use a scheduler",
        where="configure_optimizers",
        confirmed_by=f"its count of steps fell at the beginning of {len(later)} of {len(later)} epochs after the first",
        severity=Severity.WARNING if len(later) == 1 else None,
    )


@rule(
    "ART533",
    "gradients are larger than declared",
    category="optimizer",
    severity=Severity.ERROR,
    stage=Stage.TRAIN,
    finds="An optimiser step used gradients whose norm is above the declared grad_clip, give or take a hundredth.",
    why="A clip that is set and does not act, as one that comes after the step, protects from nothing.",
    wrong="optimizer.step(); clip_grad_norm_(net.parameters(), 1.0)",
    right="clip_grad_norm_(net.parameters(), 1.0); optimizer.step()",
    source="https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.clip_grad_norm_.html",
    settles=("grad_clip",),
    watches=(Updates,),
)
def above_clip(laboratory: Laboratory) -> Found | None:
    """A promise that is not kept."""
    limit = laboratory.declarations.get("grad_clip")
    if limit is None:
        raise NotApplicable("grad_clip is not declared")
    norms = [norm for group in laboratory.get(Updates).groups.values() for norm in group.norms]
    above = [norm for norm in norms if not norm <= 1.01 * limit]
    if not above:
        return None
    return Found(
        f"{len(above)} of {len(norms)} steps used gradients above the declared norm of {limit:g}, up to {max(above):.3g}",
        {"steps": len(norms), "above": len(above), "largest": max(above), "declared": limit},
        "clip between the backward pass and the step, over all parameters of the optimiser",
        where="training_step",
        confirmed_by="the gradients were read as the steps used them",
    )
