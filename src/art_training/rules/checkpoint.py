"""Rules on what is saved, and what is not."""

from art_training.probes.aliases import Aliases
from art_training.probes.rebuilt import Rebuilt, begun
from art_training.probes.weights import not_finite
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory, NotMeasured
from art_training.rules.rule import Found, Stage, rule


@rule(
    "ART840",
    "a model with the saved weights predicts otherwise",
    category="checkpoint",
    severity=Severity.ERROR,
    stage=Stage.TRAIN,
    finds=(
        "A model is made from one seed and takes a few steps; what it would save is loaded into a model that was made from another "
        "seed. Both predict the same batch in evaluation mode with the same random numbers, and differ by more than ten times "
        "what two passes of one model differ by, and by more than a thousandth of how much predictions differ among themselves."
    ),
    why=(
        "Something that predictions depend on is drawn or learned and not in the state dictionary: a tensor in a plain attribute, "
        "a layer in a Python list. The model that is loaded for testing or in production is another one than was validated."
    ),
    wrong="self.projection = torch.randn(64, 8)",
    right="self.register_buffer('projection', torch.randn(64, 8))",
    source="https://docs.pytorch.org/tutorials/beginner/saving_loading_models.html",
    asks=(begun,),
)
def saved_is_not_enough(laboratory: Laboratory) -> Found | None:
    """A round trip through what is saved."""
    seen = laboratory.get(Rebuilt)
    if seen.refused:
        return Found(
            f"what one model saves cannot be loaded into another one of its class: {seen.refused}",
            {},
            "make all layers in the constructor, the same ones each time",
            severity=Severity.WARNING,
        )
    if seen.difference is None:
        raise NotMeasured("what the model predicts of each example is not known")
    if not seen.differs:
        return None
    names = ", ".join(seen.attributes[:3])
    held = f"; {names} is no part of the state dictionary" if names else ""
    return Found(
        f"with the saved weights a model made anew predicts otherwise by up to {seen.difference:.3g}, where predictions differ by "
        f"{seen.spread:.3g}{held}",
        {
            "difference": seen.difference,
            "spread": seen.spread,
            "noise": seen.noise,
            "attributes": list(seen.attributes),
        },
        "register tensors with register_buffer, layers in nn.ModuleList or nn.ModuleDict, and draw nothing that is not saved",
        where=seen.attributes[0] if seen.attributes else "",
        confirmed_by=f"with {names} copied over the difference is {seen.copied:.3g}" if seen.mended else "",
    )


@rule(
    "ART841",
    "weights with NaN or infinity before training",
    category="checkpoint",
    severity=Severity.ERROR,
    stage=Stage.INSPECT,
    finds="A parameter that training begins with has an element that is NaN or infinite.",
    why="A file that was cut off or saved after a divergence is loaded without a word; nothing can be learned from there.",
    wrong="net.load_state_dict(torch.load('after_divergence.pt'))",
    right="weights = torch.load(file); assert all(w.isfinite().all() for w in weights.values())",
    source="https://docs.pytorch.org/tutorials/beginner/saving_loading_models.html",
    symptoms=("ART910", "ART911", "ART912"),
)
def begins_not_finite(laboratory: Laboratory) -> Found | None:
    """Before anything is trained."""
    names = laboratory.ask(not_finite).names
    if not names:
        return None
    first = next(iter(names))
    return Found(
        f"{len(names)} parameters hold {sum(names.values())} elements that are NaN or infinite before training",
        {"parameters": len(names), "elements": sum(names.values())},
        "look at the file that they were loaded from, or at how they are initialised (torch.empty is not initialised)",
        where=first,
    )


@rule(
    "ART842",
    "kept weights go on training",
    category="checkpoint",
    severity=Severity.ERROR,
    stage=Stage.TRAIN,
    finds=(
        "An attribute of the model or of a callback, or what it holds (mappings, lists, tuples, plain objects, to three deep), keeps a state dictionary "
        "whose tensors lie in the memory of parameters that train, or a list of such tensors that was made after training began, "
        "and its values changed while it was kept. Parameters themselves do not count."
    ),
    why="state_dict() gives references: the best weights that were put aside are the last ones when they are loaded again.",
    wrong="self.best = self.net.state_dict()",
    right="self.best = copy.deepcopy(self.net.state_dict())",
    source="https://github.com/pytorch/tutorials/pull/188",
    watches=(Aliases,),
)
def kept_weights_move(laboratory: Laboratory) -> list[Found]:
    """Memory that is shared."""
    seen = laboratory.get(Aliases)
    if not seen.looked:
        raise NotMeasured("nothing was trained")
    return [
        Found(
            f"{one.where} keeps weights of which {one.tensors} of {one.of} tensors are those that train: they changed by up "
            f"to {one.moved:.2g} while they were kept",
            {"tensors": one.tensors, "of": one.of, "moved": one.moved},
            "keep a copy: copy.deepcopy(module.state_dict()), also of state_dict().copy(), which copies no tensor",
            where=one.where,
            confirmed_by="the same tensors were compared with themselves at an earlier step",
        )
        for one in seen.found.values()
    ]
