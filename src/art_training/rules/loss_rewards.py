"""Rules on losses that weigh the chances of actions with what these earned."""

from art_training.probes.bandit import pushed
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory, NotApplicable
from art_training.rules.rule import Found, Stage, rule

_EXACT = 0.999
_FEWEST = 8


@rule(
    "ART444",
    "what earns more is made less likely",
    category="loss",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "An entry of the batch that code calls reward, return, advantage, gain, payoff, profit or utility, and another that holds the "
        "number of an action: a step of descent moves the score of the action that was taken, per chance that is left to the others, in "
        "exact proportion (correlation beyond 0.999 over eight examples or more) against what it earned. Losses of other forms, such as a clipped ratio "
        "after the first step, are not in proportion and not judged. Costs and regrets are left out by their names."
    ),
    why="The policy learns to avoid what it is rewarded for; the loss falls all the while.",
    wrong="loss = (reward * policy.log_prob(action)).mean()",
    right="loss = -(reward * policy.log_prob(action)).mean()",
    source="https://docs.pytorch.org/docs/stable/distributions.html (score function: the loss is minus log-probability times reward)",
    symptoms=("ART423",),
)
def reward_avoided(laboratory: Laboratory) -> Found | None:
    """A minus sign that is missing."""
    found = laboratory.ask(pushed)
    if found is None:
        raise NotApplicable("no entry of the batch is called a reward, beside one that holds the number of an action")
    if not found.reached or found.examples < _FEWEST or found.correlation > -_EXACT:
        return None
    return Found(
        f"descent makes an action less likely the larger batch[{found.path}] ({found.earned}) is: the correlation is "
        f"{found.correlation:.4f} over {found.examples} examples",
        {"entry": found.path, "called": found.earned, "correlation": found.correlation, "examples": found.examples},
        "minimise minus the mean of reward times log-probability; where it is a cost, call it so",
        where=f"batch[{found.path}]",
        confirmed_by=(
            f"of {found.examples} examples the score of the action moves against what it earned (correlation {found.correlation:.4f}), and "
            f"with the other sign it moves with it ({-found.correlation:.4f})"
        ),
    )
