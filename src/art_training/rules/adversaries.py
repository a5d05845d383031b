"""Rules on parts that learn against each other."""

from art_training.probes.adversaries import Adversaries, adversaries
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory, NotApplicable
from art_training.rules.rule import Found, Stage, rule


@rule(
    "ART515",
    "an adversary is moved by what the other learns",
    category="optimizer",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "A part is called on what another one makes, with a loss that wants all of it judged one way and with one that wants all of it "
        "judged the other way, and on something else with the former. The step is made as it is, with a learning rate of 0, and again where "
        "the call through which the maker learns gives the judge no gradient, or where what it made is detached from the judge's own loss. An error where the "
        "gradients that an optimiser steps on are others then."
    ),
    why=(
        "A discriminator that is moved to be deceived learns nothing to deceive, and a generator that is moved to be found out stands "
        "still: what one learns the other's loss undoes, in one step or in turn."
    ),
    wrong="self.optimizer = Adam(self.parameters())  # both losses, both networks",
    right="Adam(self.generator.parameters()), Adam(self.discriminator.parameters())  # each cleared before its own backward pass",
    source="https://arxiv.org/abs/1406.2661 (Goodfellow et al., Generative Adversarial Nets, 2014: algorithm 1)",
    symptoms=("ART513",),
)
def moved_by_the_other(laboratory: Laboratory) -> Found | None:
    """Two players and one hand."""
    found = laboratory.ask(adversaries)
    if found is None:
        raise NotApplicable("no part judges what another one makes, beside something else")
    if not found.mixed:
        return None
    moved = [
        (name, share)
        for name, share in ((found.judge, found.judge_moved), (found.maker, found.maker_moved))
        if share > 0
    ]
    return Found(
        f"{found.judge} and {found.maker} learn against each other, and steps move {_each(found, moved[0][0])} by the loss of the other"
        + (" as well, and the other way round" if len(moved) > 1 else " as well"),
        {
            "judge": found.judge, "maker": found.maker, "judge moved": found.judge_moved, "maker moved": found.maker_moved,
            "optimizers": found.optimizers,
        },
        "give each an optimiser of its own, clear its gradients right before its own backward pass, and detach what the maker made in the "
        "loss of the judge; with one returned loss, optimise by hand (automatic_optimization = False)",
        where=moved[0][0],
        confirmed_by="without it " + ", and ".join(f"the gradients that {name} is stepped by differ by {share:.0%}" for name, share in moved),
    )  # fmt: skip


def _each(found: Adversaries, name: str) -> str:
    return f"{name}, which judges," if name == found.judge else f"{name}, which makes,"
