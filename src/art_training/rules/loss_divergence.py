"""Rules on divergences between distributions."""

from torch import Tensor
from torch.nn import functional

from art_training.probes.step_losses import SeenLoss, steps
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory, NotApplicable
from art_training.rules.rule import Found, Stage, rule

_OFF = 1e-2  # of a sum of probabilities in half precision


@rule(
    "ART417",
    "probabilities where kl_div expects their logarithms",
    category="loss",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "kl_div is called with log_target=True, and in every batch its targets lie in 0..1 and sum to one along an axis of at least two: "
        "logarithms of probabilities are not above 0, and sum to less. Confirmed by the loss of a perfect prediction, which is not 0."
    ),
    why="The exponentials of probabilities are all between 1 and 2.7: a nearly uniform distribution is learned in place of the target.",
    wrong="F.kl_div(student.log_softmax(1), teacher.softmax(1), log_target=True)",
    right="F.kl_div(student.log_softmax(1), teacher.log_softmax(1), log_target=True)",
    source="https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.kl_div.html (log_target)",
    symptoms=("ART405",),
)
def no_logarithms(laboratory: Laboratory) -> Found | None:
    """A target that is none of logarithms."""
    calls = [call for one in laboratory.ask(steps) for call in one.calls if call.name == "kl_div"]
    told = [call for call in calls if call.options.get("log_target")]
    if not told:
        raise NotApplicable("no kl_div is told that its targets are logarithms")
    if not all(_probabilities(call) for call in told):
        return None
    target = told[0].target.double()
    perfect = target.clamp_min(1e-30).log()
    wrong, right = (
        float(functional.kl_div(perfect, target, reduction="batchmean", log_target=log)) for log in (True, False)
    )
    return Found(
        "kl_div is told that its targets are logarithms (log_target=True), and they are probabilities: they lie in "
        f"{float(target.min()):.2g}..{float(target.max()):.2g} and sum to 1",
        {"smallest": float(target.min()), "largest": float(target.max()), "perfect": wrong},
        "give it the log_softmax of the target, or leave log_target=True out",
        where=told[0].where,
        confirmed_by=f"a perfect prediction has a loss of {wrong:.3g} an example as it is called, and of {abs(right):.2g} with log_target=False",
    )


def _probabilities(call: SeenLoss) -> bool:
    values: Tensor = call.target.double()
    if values.numel() == 0 or bool((values < 0).any()) or bool((values > 1 + _OFF).any()):
        return False
    axes = [axis for axis in range(values.ndim) if values.shape[axis] > 1]
    return any(bool((values.sum(axis) - 1).abs().max() < _OFF) for axis in axes)
