"""Rules on what gradients reach."""

from collections.abc import Iterable

from art_training.probes.depth import depth, evened
from art_training.probes.leaves import Leaf, leaves
from art_training.probes.one_batch import course
from art_training.probes.reach import Cut, reach
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory, NotMeasured
from art_training.rules.rule import Found, Stage, rule


@rule(
    "ART324",
    "no gradient reaches what the loss depends on",
    category="model",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "Parameters that train and are in an optimiser get no gradient in any batch, or one that is exactly zero, and the loss "
        "changes when they do. Modules that begin as exact copies of others that train, as teachers and target networks do, "
        "are information, and so is what was loaded. Confirmed where the gradient arrives when nothing is detached."
    ),
    why="What gets no gradient keeps its random weights; the rest learns around it, and the curve looks plausible.",
    wrong="h = self.encoder(x).detach()",
    right="h = self.encoder(x)",
    source="https://discuss.pytorch.org/t/weights-not-getting-updated-when-creating-tensor-in-the-middle-of-the-computation/109524",
    settles=("frozen", "unused"),
)
def no_gradient(laboratory: Laboratory) -> Iterable[Found]:
    """A cut in the graph."""
    for cut in laboratory.ask(reach).cuts:
        if not laboratory.names(cut.module, "frozen", "unused"):
            yield _cut(cut)


@rule(
    "ART326",
    "parameters that the model does not own",
    category="model",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "The graph of the loss ends in parameters that neither the model nor an optimiser holds: modules in a plain list or "
        "dictionary, or layers that are made anew in each step. Confirmed by the gradient that they get and nobody uses."
    ),
    why=(
        "Layers in a plain list are not moved, saved or trained; layers made in forward are other random ones at each step. "
        "The rest of the model trains, so that the loss falls."
    ),
    wrong="self.layers = [nn.Linear(64, 64) for _ in range(3)]",
    right="self.layers = nn.ModuleList(nn.Linear(64, 64) for _ in range(3))",
    source="https://docs.pytorch.org/docs/stable/generated/torch.nn.ModuleList.html",
    symptoms=("ART405", "ART840"),
)
def not_owned(laboratory: Laboratory) -> Iterable[Found]:
    """Parameters outside the model."""
    found = [one for one in laboratory.ask(leaves) if not one.aside]
    anew = [one for one in found if one.anew]
    kept = [one for one in found if not one.anew]
    if anew:
        yield _outside(
            anew,
            "are made anew in each step",
            "make layers once, in __init__, and keep them as attributes of the module",
        )
    if kept:
        made = (
            "were made after the optimiser"
            if all(one.registered for one in kept)
            else "are not registered in the model"
        )
        yield _outside(kept, made, "keep modules as attributes, in nn.ModuleList or in nn.ModuleDict, made in __init__")


@rule(
    "ART325",
    "gradients vanish with depth",
    category="model",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "The gradient of some layer, as a share of its weights, is less than 1e-5 of the largest, with at least four layers "
        "fading on the way: two digits of what single precision keeps are left of it. Confirmed where one batch is learned to "
        "less than half the loss when every layer begins by passing on numbers of mean 0 and variance 1."
    ),
    why="What lies in front hardly moves and passes on the same for every example: the model says one thing of all.",
    wrong="nn.Sequential(*[layer for _ in range(12) for layer in (nn.Linear(32, 32), nn.Sigmoid())])",
    right="nn.Sequential(*[layer for _ in range(12) for layer in (nn.Linear(32, 32), nn.LayerNorm(32), nn.ReLU())])",
    source="https://proceedings.mlr.press/v9/glorot10a.html",
    symptoms=("ART405",),
)
def vanishes(laboratory: Laboratory) -> Found | None:
    """A signal that fades."""
    found = laboratory.ask(depth)
    if not found.ratio < 1e-5:
        return None
    try:
        as_it_is, other = laboratory.ask(course), laboratory.ask(evened)
    except NotMeasured:
        as_it_is, other = None, None
    tried = as_it_is is not None and other is not None
    better = as_it_is is not None and other is not None and other.halves(as_it_is)
    return Found(
        f"the gradient of {found.faintest} is {found.ratio:.1g} of the largest, as shares of the weights",
        {"ratio": found.ratio, "gradients": found.gradients},
        "use residual connections, norms, ReLU or GELU in place of sigmoid and tanh, or an initialisation that keeps the "
        "variance from layer to layer",
        where=found.faintest,
        confirmed_by=(
            f"where each layer begins by passing on variance 1 the loss of one batch fell to {other.floor:.3g}, and as it is "
            f"to {as_it_is.floor:.3g}"
            if better and other is not None and as_it_is is not None
            else ""
        ),
        severity=None if better else Severity.INFO if tried else Severity.WARNING,
    )


def _cut(cut: Cut) -> Found:
    what = "no gradient" if cut.none else "a gradient that is exactly zero"
    excused = cut.twin or not cut.owned or cut.loaded
    return Found(
        f"{cut.parameters} parameters of {cut.module} get {what}, and changing them by a tenth changes the loss by "
        f"{cut.change:.2g} of {cut.loss:.3g}",
        {"parameters": cut.parameters, "change": cut.change, "loss": cut.loss, "gradient without detaching": cut.kept},
        "look for detach, .data, .item(), no_grad, argmax, round or a new tensor between them and the loss; where they are "
        "meant to stay as they are, declare frozen=[...] and leave them out of the optimiser",
        where=cut.where or cut.module,
        confirmed_by="" if cut.kept is None else f"with nothing detached its gradient has the norm {cut.kept:.2g}",
        severity=Severity.INFO if excused else None,
    )


def _outside(found: list[Leaf], what: str, remedy: str) -> Found:
    places = [one.place for one in found if one.place]
    gradient = sum(one.gradient**2 for one in found) ** 0.5
    return Found(
        f"{len(found)} parameters that the loss depends on {what}, and no optimiser holds them",
        {"parameters": len(found), "shapes": [list(one.shape) for one in found], "gradient": gradient},
        remedy,
        where=places[0] if places else "",
        confirmed_by=f"they get a gradient of norm {gradient:.2g} that nobody uses" if gradient > 0 else "",
    )
