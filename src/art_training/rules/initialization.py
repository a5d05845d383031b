"""Rules on what a model begins with."""

from collections.abc import Iterable

from art_training.probes.initial import Layer, layers, mends
from art_training.probes.intended import intended
from art_training.probes.one_batch import OneBatch, course
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory, NotMeasured
from art_training.rules.rule import Found, Stage, rule


@rule(
    "ART330",
    "units that begin and stay the same",
    category="initialization",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "All units of a layer begin with the same weights, and after five steps they are still the same, up to a thousandth "
        "of how far they moved; or they part, and one batch is learned to less than half the loss where the layer begins as "
        "torch begins it. Other numbers than 0 in a dense layer before the last are a warning in any case. Layers of zeros that part at the first step, as last layers of residual branches do, are not meant."
    ),
    why="Units with the same weights get the same gradient and stay one unit, however wide the layer is.",
    wrong="nn.init.constant_(self.hidden.weight, 0.0)",
    right="nn.init.kaiming_normal_(self.hidden.weight)",
    source="https://www.deeplearningbook.org/contents/optimization.html (8.4, breaking symmetry)",
    symptoms=("ART317", "ART324", "ART325", "ART405", "ART437"),
)
def symmetric(laboratory: Laboratory) -> Found | None:
    """Units that are one."""
    found = [one for one in laboratory.ask(layers) if one.alike]
    if not found:
        return None
    as_it_is, other = _courses(laboratory, found)
    stuck = [one for one in found if one.stay]
    better = as_it_is is not None and other is not None and other.halves(as_it_is)
    constant = [one for one in found if one.dense and one.size > 0]
    if not stuck and not better and not constant:
        return None
    worst = stuck or (found if better else constant)
    names = ", ".join(one.name for one in worst)
    kept = "after five steps they are still the same" if stuck else "they part slowly"
    return Found(
        f"the {worst[0].units} units of {worst[0].name}"
        + (f" and of {len(worst) - 1} other layers" if worst[1:] else "")
        + f" begin with the same weights, and {kept}",
        {"layers": [one.name for one in worst], "units": [one.units for one in worst], "stay": bool(stuck)},
        "begin with random weights: leave the layer as torch makes it, or nn.init.kaiming_normal_; zeros belong into the "
        "last layer of a residual branch and into biases",
        where=names,
        confirmed_by=_said(as_it_is, other) if better else "",
        severity=None if better or stuck else Severity.WARNING,
    )


@rule(
    "ART331",
    "weights begin far too large or too small",
    category="initialization",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "Weights begin more than five times larger or smaller than torch begins this layer, which no initialisation that is "
        "taught does; and where they begin as usual one batch is learned to less than half the loss, or begins with less than "
        "a tenth of it. Without the latter it is information: norms make most layers indifferent to it."
    ),
    why="Signals that grow or shrink at each layer saturate activations or vanish; the first steps only undo it, if they can.",
    wrong="nn.init.normal_(layer.weight, std=1.0)",
    right="nn.init.kaiming_normal_(layer.weight)",
    source="https://karpathy.github.io/2019/04/25/recipe/ (init well); https://arxiv.org/abs/1502.01852",
    symptoms=("ART317", "ART325", "ART405"),
)
def size_far_off(laboratory: Laboratory) -> Found | None:
    """A scale that matters."""
    everything = laboratory.ask(layers)
    found = [one for one in everything if one.far and (one.size > (one.usual or 0.0) or one is not everything[-1])]
    if not found:
        return None
    as_it_is, other = _courses(laboratory, found)
    worst = max(found, key=_ratio)
    better = as_it_is is not None and other is not None and other.halves(as_it_is)
    begins = as_it_is is not None and other is not None and as_it_is.first > 10 * abs(other.first)
    return Found(
        f"weights of {worst.name} begin with a root mean square of {worst.size:.2g}, where torch begins with "
        f"{worst.usual or 0.0:.2g}" + (f"; so do {len(found) - 1} other layers" if found[1:] else ""),
        {
            "layers": [one.name for one in found],
            "sizes": [one.size for one in found],
            "usual": [one.usual for one in found],
        },
        "leave the layer as torch makes it, or use nn.init.kaiming_normal_ or nn.init.xavier_uniform_, which know its width",
        where=", ".join(one.name for one in found),
        confirmed_by=_said(as_it_is, other) if better or begins else "",
        severity=None if better or begins else Severity.INFO,
    )


@rule(
    "ART332",
    "an initialisation that left no trace",
    category="initialization",
    severity=Severity.WARNING,
    stage=Stage.PROBE,
    finds=(
        "A function that the model applies while it is made, or a method that is called as initialisers are, would change "
        "weights, and they begin as torch begins them: it was applied before the layers existed, never called, or undone. "
        "Told by the root mean square of weights of 64 elements or more, which chance moves by a tenth. Confirmed by "
        "calling it on a copy. Where it holds for less than half of what the function would change, it is information."
    ),
    why="The initialisation that was chosen, and that results rest on, is not the one that is used.",
    wrong="self.apply(self._init_weights); self.blocks = nn.ModuleList(...)",
    right="self.blocks = nn.ModuleList(...); self.apply(self._init_weights)",
    source="https://github.com/fla-org/flash-linear-attention/pull/739",
)
def left_no_trace(laboratory: Laboratory) -> Iterable[Found]:
    """What was meant and is not."""
    for one in laboratory.ask(intended):
        early = "was applied while the model was made" if one.applied else "is defined"
        yield Found(
            f"{one.name} {early}, and {len(one.parameters)} of the {one.of} weights that it would change begin as torch begins them",
            {"parameters": list(one.parameters), "of": one.of, "size": one.size, "meant": one.meant},
            "apply it last in __init__, after all layers are made",
            where=one.where or one.parameters[0],
            confirmed_by=f"called on a copy it makes the root mean square of {one.parameters[0]} {one.meant:.2g}, and it is {one.size:.2g}",
            severity=None if len(one.parameters) >= 0.5 * one.of else Severity.INFO,
        )


def _courses(laboratory: Laboratory, found: Iterable[Layer]) -> tuple[OneBatch | None, OneBatch | None]:
    try:
        return laboratory.ask(course), laboratory.ask(mends(tuple(one.name for one in found)))
    except NotMeasured:
        return None, None


def _ratio(layer: Layer) -> float:
    usual = layer.usual or 1.0
    return max(layer.size / usual, usual / max(layer.size, 1e-12))


def _said(as_it_is: OneBatch | None, other: OneBatch | None) -> str:
    if as_it_is is None or other is None:
        return ""
    return (
        f"where they begin as torch begins them the loss of one batch fell from {other.first:.3g} to {other.floor:.3g}, "
        f"and as it is from {as_it_is.first:.3g} to {as_it_is.floor:.3g}"
    )
