"""What is told of a transfer: what was loaded, the proof of both phases, learning rates by layer, one sentence."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from art_training.engines import FitResult
from art_training.records import Reading
from art_training.steps.bench import Bench, Scored
from art_training.steps.transfer import freezing, pretrained, proof
from art_training.steps.transfer.freezing import Names

if TYPE_CHECKING:
    from torch import Tensor

_NAMED = 50


def loaded(names: Names, fitted: pretrained.Fitted, said: str) -> list[Reading]:
    """What was taken of pretrained weights, and what was not and why: of the model, and of the weights."""
    fresh = {names.shown(name): why for name, why in fitted.fresh.items()}
    readings = [Reading("pretrained tensors", len(fitted.loaded), "tensors", f"from {said}")]
    if fresh:
        readings.append(Reading("freshly initialised", fresh, note=f"not taken from {said}, and why"))
    if fitted.unused:
        unused = dict(list(fitted.unused.items())[:_NAMED])
        more = f"; {len(unused)} of {len(fitted.unused)} are named" if len(unused) < len(fitted.unused) else ""
        readings.append(Reading("not used", unused, note=f"entries of {said} that are not taken, and why{more}"))
    return readings


def proof_of_frozen(
    names: Names, frozen: Sequence[str], before: "Mapping[str, Tensor]", after: "Mapping[str, Tensor]"
) -> list[Reading]:
    """What the frozen phase did to the frozen part, and to the rest."""
    entries = list(after)  # in the model's order, which weights of a file need not have
    still = freezing.frozen_buffers(entries, names.of_engine, frozen)
    trained = [name for name in names.of_engine if name not in set(frozen) and name in before]
    note = f"{len(frozen)} parameters and {len(still)} buffers, before and after the frozen phase"
    return [
        proof.compared(proof.FROZEN, [*frozen, *still], before, after, note),
        proof.compared(proof.TRAINED, trained, before, after, "before and after the frozen phase"),
    ]


def proof_of_tuned(
    bench: Bench, frozen: Sequence[str], middle: "Mapping[str, Tensor]", result: FitResult
) -> list[Reading]:
    """Whether fine-tuning began where the frozen phase ended, and what it did to what had been frozen."""
    if result.last is None:
        return [Reading(name, None, note=result.message) for name in (proof.BETWEEN, proof.THAWED)]
    end = bench.engine.weights(result.last)
    return [
        proof.between(middle, result.began),
        proof.compared(proof.THAWED, list(frozen), middle, end, "before and after fine-tuning"),
    ]


def by_layer(names: Names, factors: Mapping[str, float]) -> dict[str, Any]:
    """The factor on the learning rate of each layer; several where its parameters differ."""
    found: dict[str, Any] = {}
    for layer, members in names.layers().items():
        each = sorted({float(f"{factors[name]:.6g}") for name in members})
        found[names.shown(f"{layer}.").rstrip(".")] = each[0] if len(each) == 1 else each
    return found


def summary(names: Names, frozen: Sequence[str], reached: Scored, scored: Scored) -> str:
    """How much was frozen, and what each phase reached."""
    address = next((name for name in scored.scores if name.startswith("validation/") and name != "validation/loss"), "")
    address = address or next(iter(scored.scores), "")
    said = f"{len(frozen)} of {len(names.of_engine)} parameters frozen"
    if not address:
        return said
    first, last = reached.scores.get(address), scored.scores[address]
    after = f"{first.value:.4g} after the frozen phase, " if first is not None else ""
    return f"{said}; {address} {after}{last.value:.4g} after fine-tuning"
