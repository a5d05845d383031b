"""What a squeeze calls its models and its scores; nothing here costs an import."""

from typing import Any

from art_training.errors import CheckError, ProjectError
from art_training.records import Metric, Split

SINGLE, LONGER, ENSEMBLE, STUDENT, CALIBRATED = "single", "longer", "ensemble", "student", "calibrated"
GAIN = "gain"
GAINS = tuple(f"{name}_{GAIN}" for name in (LONGER, ENSEMBLE, STUDENT, CALIBRATED))
OVER_TEACHER = "gain_over_teacher"
ECE, ECE_BEFORE = "ece", "ece_before"
DIFFERENCE = "export_difference"


def require_validation(by: Any, step: str) -> Metric:
    """The address of the score that decides.

    Raises:
        ProjectError: it is none, or not one of the whole validation split.
    """
    try:
        address = Metric.parse(by)
    except (CheckError, TypeError, AttributeError) as error:
        raise ProjectError(f"by={by!r} of step {step!r} is no score; give 'validation/loss' or the like") from error
    if address.split not in {None, Split.VALIDATION} or address.loader is not None:
        raise ProjectError(
            f"by={by!r} of step {step!r} must be a score of the whole validation split, such as 'validation/loss'"
        )
    return address
