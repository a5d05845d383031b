"""The score that a step chooses by."""

from typing import Any

from art_training.errors import CheckError, ProjectError
from art_training.records import Metric, Split


def deciding_metric(by: Any, step: str) -> Metric:
    """What decides, as an address on the whole validation split; a bare name is taken to be of that split.

    Raises:
        ProjectError: it is no metric, or one of another split or of one loader.
    """
    try:
        metric = Metric.parse(by)
    except (CheckError, TypeError, AttributeError) as error:
        raise ProjectError(f"by={by!r} of step {step!r} is no metric; give 'validation/loss' or the like") from error
    if metric.split is Split.TEST:
        raise ProjectError(
            f"by={by!r} of step {step!r} is of the test split, and what is chosen by it cannot be judged by it; "
            f"give 'validation/{metric.name}'"
        )
    if metric.split not in {None, Split.VALIDATION} or metric.loader is not None:
        raise ProjectError(
            f"by={by!r} of step {step!r} is not of the whole validation split, which alone a step chooses by; "
            f"give 'validation/{metric.name}'"
        )
    return Metric(metric.name, Split.VALIDATION)
