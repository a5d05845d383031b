"""What people reach, as it is declared: with its source, by metrics that there are, on their scale."""

import math
from collections.abc import Mapping
from typing import Any, cast

from art_training.errors import ProjectError
from art_training.records.meant import did_you_mean
from art_training.setup.scores.metrics import LOSS, MetricCalculator
from art_training.steps.baselines.telling import SOURCE


def require_human(human: Any, step: str) -> None:
    """Refuse what can be told without the project's metrics.

    Raises:
        ProjectError: it is no mapping, says not where it is from, or a value is no number.
    """
    if not isinstance(human, Mapping):
        raise ProjectError(
            f"human={human!r} of step {step!r} does not say by which metric, nor where it is from; "
            "write human={'accuracy': 0.98, 'source': 'two annotators, 500 images'}"
        )
    human = cast("Mapping[str, Any]", human)
    if not human:
        return
    if not isinstance(human.get(SOURCE), str) or not human[SOURCE]:
        raise ProjectError(
            f"human={dict(human)!r} of step {step!r} does not say where it is from; "
            "add it: human={'accuracy': 0.98, 'source': 'two annotators, 500 images'}"
        )
    for name, value in human.items():
        if name != SOURCE and (
            isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value)
        ):
            raise ProjectError(f"human[{name!r}]={value!r} of step {step!r} is not a number; give what people reach")


def require_known(human: Mapping[str, Any], metrics: MetricCalculator, step: str) -> None:
    """Refuse a number by a metric that there is not, or one that is better than any can be, such as a percent of a share.

    Raises:
        ProjectError: with the metrics that there are, or with the best that there can be.
    """
    for name, value in human.items():
        if name in {SOURCE, LOSS}:
            continue
        if name not in metrics.names:
            raise ProjectError(
                f"human of step {step!r} has a number for {name!r}{did_you_mean(name, metrics.names)}, which is no metric of "
                f"this step; it has: {', '.join(metrics.names) or 'none'}"
            )
        best, lower = metrics.best(name), metrics.direction(name) == "minimize"
        if best is not None and (value < best if lower else value > best):
            percent = not lower and value <= 100
            share = f"a share, {value / 100:g} if this is a percent" if percent else "what people reach on that scale"
            raise ProjectError(
                f"human[{name!r}]={value!r} of step {step!r} is {'less' if lower else 'more'} than {best:g}, which is the best "
                f"that {name} can be; give {share}"
            )
