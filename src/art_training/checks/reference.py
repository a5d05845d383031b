"""How a check names the number that it asks about."""

from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from art_training.errors import CheckError
from art_training.records import Metric, Split


@dataclass(frozen=True, eq=False)  # metric objects overload `==`; a reference is equal to itself only
class MetricReference:
    """A metric named by its object, as `(accuracy, "validation")`; the project that declares it knows its name.

    Attributes:
        metric: the object that the project was given under `metrics=`.
        split: the split that it is measured on.
    """

    metric: Any
    split: Split

    def __str__(self) -> str:
        return f"{self.split.value}/{type(self.metric).__name__}"


MetricLike: TypeAlias = "str | Metric | MetricReference | tuple[Any, Split | str]"


def reference(value: Any) -> Metric | MetricReference:
    """What a user gave as a metric, read.

    Raises:
        CheckError: it names no metric, or no split.
    """
    if isinstance(value, Metric | MetricReference):
        return value
    if isinstance(value, str):
        return Metric.parse(value)
    if not isinstance(value, tuple) or len(cast("tuple[Any, ...]", value)) != 2:
        raise CheckError(
            f"{value!r} names no metric; give 'validation/accuracy', a Metric, or (metric object, 'validation')"
        )
    metric, split = cast("tuple[Any, Any]", value)
    if split not in set(Split):
        raise CheckError(f"({type(metric).__name__}, {split!r}) names no split; a split is one of: {', '.join(Split)}")
    return Metric(metric, Split(split)) if isinstance(metric, str) else MetricReference(metric, Split(split))


def address(metric: MetricLike) -> Metric:
    """The address behind a check's metric.

    Raises:
        CheckError: it is a metric object that no project has given a name.
    """
    found = reference(metric)
    if isinstance(found, MetricReference):
        raise CheckError(
            f"the metric object {type(found.metric).__name__} has no name here; declare it in the project's metrics= "
            f"and judge the check there, or write '{found.split.value}/' and its name"
        )
    return found
