"""Rules on parts that are meant to follow others that train."""

from collections.abc import Iterable

from art_training.probes.following import Follower, Following
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory, NotApplicable, NotMeasured
from art_training.rules.rule import Found, Stage, rule

_ENOUGH = 3  # batches, or calls
_ROUNDING = 1e-5  # of the way of the leader: a momentum of 0.9999 goes so far in a tenth of a step


@rule(
    "ART534",
    "a copy that should follow stands still, or follows at once",
    category="optimizer",
    severity=Severity.ERROR,
    stage=Stage.TRAIN,
    finds=(
        "A part that no optimiser holds begins as a copy, bit by bit, of one that trains, and is called in training. An error where its "
        "weights were written to after at least three batches and are as they were, but for rounding, while the other moved. A warning where "
        "it was never seen to be written to, began with weights as initialisers draw them, and the model's code asks for no epoch or step "
        "and does nothing every so many of anything; with other weights it may be a reference on purpose, and is told as information. A "
        "warning where, whenever it was called after the other had moved, at least three times, both were equal bit by bit."
    ),
    why=(
        "A momentum encoder, a teacher or a target network gives targets that change slowly. With a momentum of 1, or an update that goes "
        "nowhere, they stay those of random weights; with one of 0 the model chases itself."
    ),
    wrong="target.mul_(1.0).add_(online, alpha=0.0); or target.lerp(online, 0.01), which gives a new tensor",
    right="target.lerp_(online, 0.01)  # under torch.no_grad()",
    source="https://arxiv.org/abs/2006.07733 (Grill et al., Bootstrap Your Own Latent, 2020: table 5a, decay 0, 1 and between)",
    settles=("frozen", "unused"),
    watches=(Following,),
)
def follows(laboratory: Laboratory) -> Iterable[Found]:
    """A momentum of 1, of 0, or none."""
    seen = laboratory.get(Following)
    called = [
        one for one in seen.followers if one.calls >= _ENOUGH and not laboratory.names(one.name, "frozen", "unused")
    ]
    if not called:
        raise NotApplicable("no part that is called begins as a copy of one that trains")
    if not seen.complete:
        raise NotMeasured("the short training did not come to its end")
    for one in called:
        if one.led > 0 and one.moved <= _ROUNDING * one.led:
            yield _still(one, may_come=seen.speaks_of_time)
        elif one.looked >= _ENOUGH and one.alike == one.looked:
            yield Found(
                f"{one.name} was equal to {one.leader} bit by bit at all {one.looked} calls that were looked at, while {one.leader} moved "
                f"by {one.led:.2g}",
                {"looked at": one.looked, "alike": one.alike, "moved": one.led},
                "let it follow slowly, such as target.lerp_(online, 0.01), or copy the weights every so many steps",
                where=one.name,
                confirmed_by=f"compared bit by bit as it was called, {one.alike} of {one.looked} times equal",
                severity=Severity.WARNING,
            )


def _still(one: Follower, *, may_come: bool) -> Found:
    written = one.writes >= _ENOUGH
    severity = None if written else Severity.WARNING if one.fresh and not may_come else Severity.INFO
    how = f"was written to after {one.writes} batches and" if written else "was never written to and"
    return Found(
        f"{one.name}, which begins as a copy of {one.leader} and was called {one.calls} times, {how} is as it was, while "
        f"{one.leader} moved by {one.led:.2g}",
        {"calls": one.calls, "writes": one.writes, "moved": one.moved, "leader moved": one.led, "fresh": one.fresh},
        f"update it in place after each step, such as target.lerp_(online, 0.01) under torch.no_grad(); where {one.name} is a reference "
        "that shall stay, declare frozen=[...]",
        where=one.name,
        confirmed_by=f"its weights before and after the training lie {one.moved:.2g} apart, and those of {one.leader} {one.led:.2g}",
        severity=severity,
    )
