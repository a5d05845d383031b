"""Rules on what gradients reach."""

from collections.abc import Iterable
from fnmatch import fnmatchcase

from art_training.probes.leaves import Leaf, leaves
from art_training.probes.reach import Cut, reach
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory
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
        "are not meant. Confirmed where the gradient arrives when nothing is detached."
    ),
    why="What gets no gradient keeps its random weights; the rest learns around it, and the curve looks plausible.",
    wrong="h = self.encoder(x).detach()",
    right="h = self.encoder(x)",
    source="https://discuss.pytorch.org/t/weights-not-getting-updated-when-creating-tensor-in-the-middle-of-the-computation/109524",
    settles=("frozen", "unused"),
)
def no_gradient(laboratory: Laboratory) -> Iterable[Found]:
    """A cut in the graph."""
    declared = [*laboratory.declarations.get("frozen", ()), *laboratory.declarations.get("unused", ())]
    for cut in laboratory.ask(reach).cuts:
        if any(_covers(pattern, cut.module) for pattern in declared):
            continue
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


def _cut(cut: Cut) -> Found:
    what = "no gradient" if cut.none else "a gradient that is exactly zero"
    excused = cut.twin or not cut.owned
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


def _covers(pattern: str, name: str) -> bool:
    return (
        name == pattern
        or name.startswith(f"{pattern}.")
        or fnmatchcase(name, pattern)
        or fnmatchcase(name, f"{pattern}.*")
    )
