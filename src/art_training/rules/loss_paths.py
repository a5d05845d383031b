"""Rules on where a loss leads: whether what it is told reaches the weights, and whether they go to where scores rise."""

from collections.abc import Iterable

from art_training.probes.paths import Path, paths
from art_training.probes.places import place_of
from art_training.probes.responses import responses
from art_training.probes.scores import Climb, climbs
from art_training.probes.specimen import Specimen
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory, NotApplicable, NotMeasured
from art_training.rules.rule import Found, Stage, rule


@rule(
    "ART437",
    "what the loss is told does not reach the weights",
    category="loss",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "Exchanging the rows of an entry of the batch among the examples changes the value of the loss beyond noise, and no "
        "element of any gradient by more than a millionth of the largest: what depends on the entry was taken out of the graph. "
        "What is only added for each example stays the same under an exchange, and is not meant."
    ),
    why=(
        "The loss is of the right value and looks alive, and the weights follow only what is left of it, such as a regulariser: "
        "a reward, a target or a weight that is multiplied with something detached teaches nothing."
    ),
    wrong="loss = -(log_probability.detach().exp() * reward).mean() - 0.01 * entropy",
    right="loss = -(log_probability * reward).mean() - 0.01 * entropy",
    source="Williams, Simple Statistical Gradient-Following Algorithms, 1992 (the gradient is that of the log probability)",
    symptoms=("ART405", "ART450"),
)
def no_path(laboratory: Laboratory) -> Iterable[Found]:
    """A value without a gradient."""
    found = laboratory.ask(responses)
    if found is None:
        raise NotMeasured("what entries of the batch do to the loss could not be told")

    def asked(specimen: Specimen) -> tuple[Path, ...]:
        if not specimen.automatic:
            raise NotMeasured("the step optimises by itself")
        return paths(specimen, found)

    for one in laboratory.ask(asked):
        if one.broken:
            yield Found(
                f"exchanging batch[{one.path}] among the examples changes the loss from {one.before:.4g} to {one.after:.4g}, and "
                f"none of the {one.parameters} gradients",
                {"before": one.before, "after": one.after, "moved": one.moved, "parameters": one.parameters},
                f"look for detach(), no_grad, item() or sampling between the model and what is computed with batch[{one.path}]; "
                "the gradient of a sampled action's reward is that of its log probability times the reward",
                confirmed_by=(
                    f"gradients of the loss with and without the exchange are {one.moved:.1g} of the largest apart, and the "
                    f"values {abs(one.after - one.before):.3g}"
                ),
            )


@rule(
    "ART438",
    "training lowers the score that it logs",
    category="loss",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "The training step logs a score whose name leaves no doubt that more is better (reward, return, payoff, profit, "
        "revenue, PSNR, SNR, SI-SNR, SSIM). After some steps by the user's optimiser it is lower than before by more than four "
        "standard errors; by the same steps on the loss with its sign turned it is higher by as much."
    ),
    why="An optimiser minimises: an objective that is to be raised must be given to it with a minus. The loss falls all the same.",
    wrong="loss = (log_probability * advantage).mean()",
    right="loss = -(log_probability * advantage).mean()",
    source="https://spinningup.openai.com/en/latest/spinningup/rl_intro3.html (the loss function of the simplest policy gradient)",
    symptoms=("ART405", "ART423", "ART444"),
)
def descending(laboratory: Laboratory) -> Iterable[Found]:
    """The sign of an objective."""
    found, where = laboratory.ask(_climbs)
    if found is None:
        raise NotMeasured("the step optimises by itself, has several optimisers, or takes too long")
    if not found:
        raise NotApplicable("the training step logs no score whose name tells its direction")
    for one in found:
        if one.descends:
            yield Found(
                f"{one.steps} steps of training lower {one.name} from {one.before:.4g} to {one.after:.4g}",
                {
                    "before": one.before,
                    "after": one.after,
                    "turned": one.turned,
                    "error": one.error,
                    "steps": one.steps,
                },
                "turn the sign of the objective: what is to be raised enters the loss with a minus",
                where=where,
                confirmed_by=f"with the sign of the loss turned, the same steps raise it to {one.turned:.4g}",
            )


def _climbs(specimen: Specimen) -> tuple[tuple[Climb, ...] | None, str]:
    return climbs(specimen), place_of(getattr(type(specimen.module), "training_step", None))
