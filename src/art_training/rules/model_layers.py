"""Rules on single layers: what stands at the end, what never fires."""

from collections.abc import Iterable
from contextlib import suppress

from art_training.probes.heads import Head, heads, reachable_binary, reachable_entropy, without_head
from art_training.probes.one_batch import course
from art_training.probes.units import Alive, Units, units
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory, NotApplicable, NotMeasured
from art_training.rules.rule import Found, Stage, rule

_SCORES = {"cross_entropy", "binary_cross_entropy_with_logits"}
_VALUES = {"mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"}
_BOUNDED = {"relu", "relu_", "relu6", "hardtanh", "elu", "gelu", "silu", "softplus", "tanh", "abs", "square"}
_ROOM = 3.0  # scores that are cut further out are cut where a probability of 0.95 is exceeded, for numbers' sake


@rule(
    "ART316",
    "an activation keeps predictions from their targets",
    category="model",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "The last thing computed before the loss, one of torch or the same written by hand, is an activation or a cut (clamp), whose "
        "values have bounds. Scores of a cross entropy must "
        "have none; what approximates numbers must reach them: the mean squared error of targets cut to the bounds is more "
        "than a twentieth of their variance, which nothing can learn. Confirmed where one batch is learned further without it."
    ),
    why="Predictions cannot be what the targets are: ReLU keeps scores from being negative, and where it is 0 nothing is learned.",
    wrong="self.head = nn.Sequential(nn.Linear(32, 10), nn.ReLU())",
    right="self.head = nn.Linear(32, 10)",
    source="https://stackoverflow.com/questions/48251943",
    symptoms=("ART317",),
)
def activation_on_the_head(laboratory: Laboratory) -> Found | None:
    """Predictions that cannot be right."""
    found = [one for one in laboratory.ask(heads) if _hinders(one)]
    if not found:
        return None
    head = found[0]
    as_it_is, other = None, None
    with suppress(NotMeasured):
        as_it_is, other = laboratory.ask(course), laboratory.ask(without_head)
    better = as_it_is is not None and other is not None and other.floor < as_it_is.floor - 0.02 * abs(as_it_is.floor)
    bound = _bound(head)
    return Found(
        f"a {head.activation.rstrip('_')} is the last thing before {head.loss}: {_consequence(head, found)}",
        {"activation": head.activation, "loss": head.loss, "low": head.low, "high": head.high, "bound": bound},
        f"leave the {head.activation.rstrip('_')} out: the last layer gives what it gives, and the loss takes it as it is",
        confirmed_by=(
            f"without it the loss of one batch fell to {other.floor:.3g} in as many steps, and as it is to {as_it_is.floor:.3g}"
            if better and other is not None and as_it_is is not None
            else ""
        ),
        severity=None if better or bound > 0 else Severity.WARNING,
    )


@rule(
    "ART317",
    "units that are dead from the start",
    category="model",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "Behind a ReLU at least nine of ten units give 0 for every example of the first batches, more than half-spaces that "
        "are drawn at random leave empty once in a million. Confirmed where they fire when the layer begins as torch begins it."
    ),
    why="A unit that never fires has a gradient of exactly 0 and stays dead; what lies before it learns nothing through it.",
    wrong="nn.init.constant_(layer.bias, -10.0)",
    right="nn.init.zeros_(layer.bias)",
    source="https://arxiv.org/abs/1903.06733 (dying ReLU)",
    symptoms=("ART324", "ART405"),
)
def dead_units(laboratory: Laboratory) -> Found | None:
    """Units that never fire."""
    known = laboratory.ask(units)
    if not known:
        raise NotApplicable("the model has no ReLU")
    found = [one for one in known if one.beyond_chance]
    if not found:
        return None
    worst = max(found, key=lambda one: one.dead / one.all)
    revived = worst.fresh is not None and worst.fresh < 0.6
    return Found(
        f"{worst.dead} of the {worst.all} units behind {worst.layer or 'a ReLU'} gave 0 for all of {worst.rows} examples"
        + (f"; so do those of {len(found) - 1} other layers" if found[1:] else ""),
        {"dead": worst.dead, "units": worst.all, "rows": worst.rows, "layers": [one.layer for one in found]},
        "look at the bias and at the weights that the layer begins with, and at the scale of its inputs",
        where=", ".join(one.layer for one in found if one.layer),
        confirmed_by=f"where the layer begins as torch begins it, {worst.fresh:.0%} of them are dead"
        if revived
        else "",
    )


@rule(
    "ART318",
    "units died in training",
    category="model",
    severity=Severity.WARNING,
    stage=Stage.TRAIN,
    finds=(
        "Of a layer in front of a ReLU, less than half of whose units were silent when training began, at least nine of ten "
        "units were never above 0 in a whole epoch, more than chance leaves."
    ),
    why="A unit that never fires has a gradient of exactly 0: it does not come back. Steps that are too large kill units.",
    wrong="torch.optim.SGD(self.parameters(), lr=10.0)",
    right="torch.optim.SGD(self.parameters(), lr=0.01)",
    source="https://arxiv.org/abs/1903.06733 (dying ReLU)",
    watches=(Alive,),
    asks=(units,),
)
def units_died(laboratory: Laboratory) -> Iterable[Found]:
    """Units that fired once."""
    alive = laboratory.get(Alive)
    before = {one.layer: one for one in laboratory.ask(units) if one.layer and one.dead <= 0.5 * one.all}
    if not before:
        raise NotApplicable("no layer with a ReLU behind it has units that fire when training begins")
    if not alive.dead:
        raise NotMeasured("no epoch was completed")
    for name, first in before.items():
        dead, count = alive.dead.get(name, (0, 0))
        if count and Units(name, dead, count, alive.rows.get(name, 0)).beyond_chance:
            yield Found(
                f"{dead} of the {count} units of {name} were never above 0 in the last epoch, and {first.dead} when training began",
                {"dead": dead, "units": count, "before": first.dead},
                "take smaller steps: a lower learning rate, a warm-up or clipped gradients; or an activation that leaks",
                where=name,
                confirmed_by=f"with the weights that training began with {first.dead} of {first.all} are silent",
            )


def _hinders(head: Head) -> bool:
    if head.loss in _SCORES:
        cut = head.activation.startswith(("clamp", "clip")) and (head.low > -_ROOM or head.high < _ROOM)
        return (cut or head.activation in _BOUNDED) and not (head.loss == "cross_entropy" and head.prediction.ndim < 2)
    if head.loss in _VALUES and head.prediction.shape == head.target.shape and head.target.is_floating_point():
        # A twentieth: what outliers beyond a range that was fitted to other data may come to.
        return head.bound > 0.05
    return False


def _bound(head: Head) -> float:
    if head.loss == "cross_entropy":
        return reachable_entropy(head)
    return reachable_binary(head) if head.loss in _SCORES else head.bound


def _consequence(head: Head, found: list[Head]) -> str:
    bounds = f"from {head.low:g} to {head.high:g}"
    if head.loss not in _SCORES:
        share = sum(one.beyond for one in found) / len(found)
        return f"it gives numbers {bounds}, where {share:.0%} of the targets are not, and leaves {head.bound:.0%} of their variance"
    bound = _bound(head)
    least = f"; the loss cannot fall below {bound:.3g}" if bound > 0.01 else ""
    return f"scores {bounds} where any number is wanted{least}"
