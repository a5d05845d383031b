"""Rules on what a model computes of what."""

from art_training.probes.affinity import Affinity, affinity
from art_training.probes.causality import causality
from art_training.probes.dependence import mixing
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory, NotApplicable, NotMeasured
from art_training.rules.rule import Found, Stage, rule

_SEES = 1e-4  # of how much predictions differ: single precision leaves 1e-6, and a dependence more than this


@rule(
    "ART311",
    "examples of a batch see each other",
    category="model",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "In evaluation mode the prediction of an example changes when another example of its batch is exchanged, by more "
        "than ten times what two identical passes differ by, and by more than single precision leaves. What a step mixes "
        "by chance, as mixup does, is an augmentation; what no longer moves where the gradients that the step takes within itself are "
        "held as they were follows weights that it moved; one other example that moves is a pair, as of Siamese networks; "
        "batch norms that keep no statistics are told as such. The last two are information."
    ),
    why="A prediction that depends on who else is in the batch is another one in production; a loss can be met by looking across.",
    wrong="h = h.view(-1, batch_size).t()",
    right="h = h.view(batch_size, -1)",
    source="https://karpathy.github.io/2019/04/25/recipe/ (use backprop to chart dependencies)",
    settles=("couples_examples",),
)
def examples_mix(laboratory: Laboratory) -> Found | None:
    """A dependence that must not exist."""
    laboratory.settled("couples_examples")
    found = laboratory.ask(mixing)
    if found is None:
        raise NotMeasured("what the model predicts of each example is not known")
    if not found.changed or found.random or found.learned:
        return None
    remedy = (
        "look for a view, reshape, transpose, softmax or norm over the batch dimension; where it is meant, as in contrastive "
        "learning, declare couples_examples=True"
    )
    if found.statistics:
        remedy = "batch norms with track_running_stats=False use the batch in evaluation too; let them track, or use GroupNorm"
    return Found(
        f"exchanging one example of a batch changed the predictions of {found.changed} of the {found.of} others, by up to "
        f"{found.others:.2g} of how much predictions differ",
        {"changed": found.changed, "of": found.of, "largest": found.others, "noise": found.noise},
        remedy,
        confirmed_by=f"without an exchange they differ by {found.noise:.2g}"
        + ("" if found.held is None else ", and the gradients that the step takes were held as they were"),
        severity=Severity.INFO if found.statistics or found.changed == 1 else None,
    )


@rule(
    "ART312",
    "a prediction sees the token that it predicts",
    category="model",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "Where the target of a position is a later position of the same sequence, later tokens are exchanged with those of "
        "another example, and predictions whose targets stand there must not move. Where layers read the sequence a second time, as "
        "the encoder of an autoencoder does, it is information. Confirmed where a causal mask laid over "
        "the attention ends the dependence."
    ),
    why="The loss falls by copying the next token from the input; generating, where there is no next token yet, fails.",
    wrong="F.scaled_dot_product_attention(q, k, v)  # or a mask of which True means the other",
    right="F.scaled_dot_product_attention(q, k, v, is_causal=True)",
    source="https://github.com/pytorch/pytorch/pull/170415 (True keeps in one attention of torch and forbids in another)",
)
def sees_the_future(laboratory: Laboratory) -> Found | None:
    """A model of the next token that looks ahead."""
    found = laboratory.ask(causality)
    if found is None:
        raise NotApplicable("what is predicted is not what comes next in an input")
    if not found.future > max(_SEES, 10 * found.noise):
        return None
    inverted = found.past <= max(_SEES, 10 * found.noise)
    what = (
        "and not when earlier ones are: the mask is inverted"
        if inverted
        else f"by {found.future:.2g} of how much they differ"
    )
    ended = found.masked is not None and found.masked <= max(_SEES, 10 * found.noise)
    return Found(
        f"predictions of {found.entry} move when only tokens from their own target on are exchanged, {what}",
        {"future": found.future, "past": found.past, "noise": found.noise, "shift": found.shift},
        "let position t attend to positions up to t alone: is_causal=True, or a mask of which True means what this attention "
        "takes it for; convolutions are padded in front only, recurrent layers run one way",
        confirmed_by=(
            f"under a causal mask predictions move by {found.masked:.2g} of how much they differ, and as it is by {found.future:.2g}"
            if ended
            else f"without an exchange they differ by {found.noise:.2g}"
        ),
        severity=Severity.INFO if found.encoded else None,
    )


@rule(
    "ART315",
    "layers without a nonlinearity between them",
    category="model",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "Halfway between two examples the prediction is the mean of their predictions, up to 1e-4 of how much they differ, "
        "for every pair: the network is affine, though it has layers of weights one after the other of which one is no "
        "narrower than its neighbours, so that it adds nothing. The same where maxima and layer norms alone are bent. "
        "One layer is a linear model, and a narrow one between wide ones a projection on purpose."
    ),
    why="Layers without a nonlinearity between them are one layer: depth costs time and gains nothing that a linear model has not.",
    wrong="nn.Sequential(nn.Linear(64, 128), nn.Linear(128, 10))",
    right="nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))",
    source="https://doi.org/10.1145/3411764.3445538 (UMLAUT: missing activations)",
    settles=("linear_model",),
)
def is_affine(laboratory: Laboratory) -> Found | None:
    """A deep network that computes what one layer does."""
    laboratory.settled("linear_model")
    found = laboratory.ask(affinity)
    if found is None:
        raise NotMeasured("what lies halfway between two examples is not known, or predictions do not depend on it")
    if not found.affine_but_for_norms or found.depth < (2 if found.affine else 3):
        return None
    if found.bends or not found.with_relu > 10 * _SEES:
        raise NotMeasured(
            "nothing bends between these examples, with what could bend between the layers or with a ReLU there"
        )
    return _affine(found)


def _affine(found: Affinity) -> Found:
    but = "" if found.affine else ", but for maxima and norms"
    return Found(
        f"{found.depth} layers of weights one after the other are affine{but}: halfway between two examples the prediction "
        f"is off the mean of theirs by {found.straightened:.1g} of how much they differ",
        {"bent": found.bent, "straightened": found.straightened, "depth": found.depth, "widths": list(found.widths)},
        "put a nonlinearity between the layers (nn.ReLU(), nn.GELU()), or declare linear_model=True where a linear model is meant",
        where=", ".join(one for one in found.where[:-1] if one),
        confirmed_by=f"with a ReLU after each layer but the last it is off by {found.with_relu:.2g}",
        severity=None if found.redundant and found.affine else Severity.WARNING if found.redundant else Severity.INFO,
    )
