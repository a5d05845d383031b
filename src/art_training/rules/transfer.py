"""Rules on weights from elsewhere: loaded, frozen, tied."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from art_training.probes.loading import alike
from art_training.probes.specimen import Specimen
from art_training.probes.weights import Standing, frozen_head, replaced, ties
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory, NotApplicable, NotMeasured
from art_training.rules.optimizer import modules_of
from art_training.rules.rule import Found, Stage, rule

_MOST = 0.5  # of the matrices that were loaded; a new head, or a few, may be drawn anew


@rule(
    "ART820",
    "what is declared frozen moves",
    category="transfer",
    severity=Severity.ERROR,
    stage=Stage.TRAIN,
    finds=(
        "A parameter that frozen= names is another bit by bit after a short training, or a name that frozen= or unused= gives "
        "stands for no parameter. That only its buffers move, such as the statistics of a batch norm, is an information."
    ),
    why="What was learned elsewhere is lost, with the large steps of a fresh head in the first epochs above all.",
    wrong="self.backbone.eval()  # which freezes nothing",
    right="self.backbone.requires_grad_(False)",
    source="https://docs.pytorch.org/docs/stable/notes/autograd.html (setting requires_grad)",
    watches=(Standing,),
)
def frozen_moves(laboratory: Laboratory) -> Found | list[Found] | None:
    """A promise, and what became of it."""
    if not laboratory.declared("frozen", "unused"):
        raise NotApplicable("frozen is not declared")
    seen = laboratory.get(Standing)
    if seen.moved is None:
        raise NotMeasured("the short training did not come to its end")
    found = [*meaningless(laboratory, "frozen", seen.known), *meaningless(laboratory, "unused", seen.known)]
    moved = {name: change for name, change in seen.moved.items() if laboratory.names(name, "frozen")}
    if moved:
        found.append(
            Found(
                f"{len(moved)} parameters of {modules_of(moved)} are declared frozen and moved by up to {max(moved.values()):.2g}",
                {"parameters": len(moved), "largest": max(moved.values())},
                "set requires_grad_(False) on it before the optimiser is made, and pass the optimiser what trains",
                where=modules_of(moved),
                confirmed_by="compared bit by bit before and after a short training",
            )
        )
    buffers = {name: change for name, change in seen.buffers.items() if laboratory.names(name, "frozen")}
    if buffers and not moved:
        found.append(
            Found(
                f"{len(buffers)} buffers of {modules_of(buffers)}, whose parameters are frozen, moved by up to "
                f"{max(buffers.values()):.2g}",
                {"buffers": len(buffers)},
                "set it to eval() in train() too, where its statistics shall stay",
                where=modules_of(buffers),
                severity=Severity.INFO,
            )
        )
    return found


@rule(
    "ART821",
    "weights that were loaded are gone when training begins",
    category="transfer",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "While the model was made load_state_dict filled matrices or kernels, and training begins with others in more than half of "
        "them, which do not resemble what was loaded: their correlation is below that of independent draws, 4 / sqrt(n) of n "
        "elements. Or pretrained= is declared, nothing that it names was loaded, and all of it is distributed as initialisers "
        "draw it."
    ),
    why="The model trains from scratch, with the learning rate and the few epochs that were meant for a trained one.",
    wrong="net.load_state_dict(weights); net.apply(initialise)",
    right="net.apply(initialise); net.load_state_dict(weights)",
    source="https://github.com/huggingface/transformers/issues/17877",
)
def loaded_weights_are_gone(laboratory: Laboratory) -> Found | list[Found] | None:
    """What was loaded against what there is."""
    seen = laboratory.ask(replaced)
    if seen.loaded and len(seen.replaced) > _MOST * len(seen.loaded):
        return Found(
            f"of {len(seen.loaded)} matrices that load_state_dict filled, {len(seen.replaced)} hold other weights when training "
            f"begins, with a correlation of at most {seen.largest:.2g}",
            {"loaded": len(seen.loaded), "replaced": len(seen.replaced), "correlation": seen.largest},
            "load the weights after everything that initialises: apply(), reset_parameters(), and hooks that run at the start",
            where=modules_of(seen.replaced),
            confirmed_by="compared with what was passed to load_state_dict",
        )
    declared: Any = laboratory.declarations.get("pretrained")
    if not declared and not seen.loaded:
        raise NotApplicable("no weights are loaded while the model is made, and pretrained is not declared")
    if not declared:
        return None
    fresh = laboratory.ask(drawn)
    found = [*meaningless(laboratory, "pretrained", fresh.names)]
    for part in laboratory.declared("pretrained") or ("*",):
        mine = [name for name in fresh.known if laboratory.called.means([part], name)]
        if mine and all(name in fresh.drawn for name in mine):
            what = "the model" if part == "*" else part
            found.append(
                Found(
                    f"{what} is declared pretrained, and all of its {len(mine)} matrices are distributed as initialisers draw them",
                    {"matrices": len(mine), "loaded": len(seen.loaded)},
                    "look whether the weights are loaded, into the model that trains, and not overwritten afterwards",
                    where="" if part == "*" else part,
                )
            )
    return found


def meaningless(laboratory: Laboratory, declaration: str, names: Sequence[str]) -> Iterator[Found]:
    """What a declaration names that the model has not."""
    missing = laboratory.called.meaningless(laboratory.declared(declaration), names)
    if missing:
        parts = dict.fromkeys(laboratory.called.shown(one).partition(".")[0] for one in names)
        yield Found(
            f"{declaration}={missing!r} stands for no parameter of the model",
            {"names": len(missing)},
            f"name modules or parameters that there are: {', '.join(parts)}, or what is in them",
            severity=Severity.WARNING,
        )


@dataclass(frozen=True)
class Drawn:
    """What a model holds, and what of it is as initialisers make it.

    Attributes:
        names: of all parameters and buffers.
        known: of the matrices.
        drawn: of those that were not loaded by load_state_dict and are distributed as initialisers draw them.
    """

    names: tuple[str, ...]
    known: tuple[str, ...]
    drawn: frozenset[str]


def drawn(specimen: Specimen) -> Drawn:
    """Look at every matrix."""
    from art_training.probes.ownership import is_fresh

    parameters, buffers = (dict(named()) for named in (specimen.module.named_parameters, specimen.module.named_buffers))
    matrices = {name: one for name, one in parameters.items() if one.ndim > 1}
    kept = {name for name, one in specimen.loaded.items() if name in matrices and alike(matrices[name], one) > _MOST}
    fresh = frozenset(name for name, one in matrices.items() if name not in kept and is_fresh(one))
    return Drawn((*parameters, *buffers), tuple(matrices), fresh)


@rule(
    "ART822",
    "a fresh head is frozen",
    category="transfer",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "The last layer with weights on the way to the loss requires no gradient, holds weights as initialisers draw them, was "
        "not loaded, and one batch is learned further in 30 steps of Adam when it trains too (an information where it is not). "
        "Layers in front of it do train, and it is not declared frozen."
    ),
    why="A random projection stands between the features and the classes, and nothing ever moves it.",
    wrong="for name, p in net.named_parameters(): p.requires_grad = 'bn' in name",
    right="for name, p in net.named_parameters(): p.requires_grad = 'bn' in name or name.startswith('fc.')",
    source="https://discuss.pytorch.org/t/obtaining-abnormal-changes-in-loss-and-accuracy/84911",
    settles=("frozen", "unused"),
)
def head_is_frozen(laboratory: Laboratory) -> Found | None:
    """The end of the network."""
    seen = laboratory.ask(frozen_head)
    if seen is None:
        return None
    if laboratory.names(f"{seen.name}.weight", "frozen", "unused"):
        return None
    gains = seen.without is not None and seen.with_it is not None and seen.with_it < 0.9 * seen.without
    return Found(
        f"{seen.name}, the last layer before the loss, has fresh weights that do not train, while {seen.trains} parameters before "
        "it do",
        {"trains": seen.trains, "without": seen.without, "with": seen.with_it},
        f"set {seen.name}.requires_grad_(True) before the optimiser is made, or declare frozen=['{seen.name}']",
        where=seen.name,
        confirmed_by=f"with the layer training one batch was learned to {seen.with_it:.3g}, without to {seen.without:.3g}"
        if gains
        else "",
        severity=None if gains else Severity.INFO,
    )


@rule(
    "ART824",
    "weights that should be tied are copies",
    category="transfer",
    severity=Severity.WARNING,
    stage=Stage.INSPECT,
    finds=(
        "An embedding and a linear layer of its width have equal weights in all rows that both have, and are two tensors that both "
        "train; or a setting of the model says that weights are tied, or ties=True is declared, and no parameter is shared, be it that one pass multiplies by it twice."
    ),
    why="They begin equal and drift apart from the first step: twice the parameters, and not the model that was meant.",
    wrong="self.lm_head.weight = nn.Parameter(self.embedding.weight.clone())",
    right="self.lm_head.weight = self.embedding.weight",
    source="https://arxiv.org/abs/1608.05859",
    settles=("ties",),
)
def ties_are_broken(laboratory: Laboratory) -> Found | None:
    """One tensor or two."""
    seen = laboratory.ask(ties)
    declared = laboratory.declarations.get("ties")
    if seen.copies and declared is not False:
        first, second = seen.copies[0]
        return Found(
            f"{first}.weight and {second}.weight are equal and two tensors, which will drift apart",
            {"pairs": len(seen.copies)},
            f"assign the tensor itself, after every load and resize: {second}.weight = {first}.weight; where two are meant, "
            "declare ties=False",
            where=second,
        )
    if (seen.asked or declared) and not seen.shared and not seen.reused:
        says = f"{seen.asked[0]} is True" if seen.asked else "ties=True is declared"
        return Found(
            f"{says}, and no parameter of the model is shared",
            {"settings": len(seen.asked)},
            "assign one tensor to both layers, after every load and resize",
            where=seen.asked[0] if seen.asked else "",
        )
    return None
