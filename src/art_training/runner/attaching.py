"""Which probes look at which steps of a run."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias, cast

from art_training.errors import ProjectError
from art_training.probes.attached import NAMES, Probe, probe_of
from art_training.records import Event, Probed
from art_training.records.meant import did_you_mean

Wanted: TypeAlias = Iterable[Probe | str] | Mapping[str, Iterable[Probe | str]]
"""Probes, or their names, for every step; or by the names of the steps that they look at."""

Attached: TypeAlias = Mapping[str, tuple[Probe, ...]]
"""Probes by the name of the step that they look at."""


def attached(wanted: Wanted, steps: Sequence[str]) -> Attached:
    """The probes of each step.

    Args:
        wanted: what a user gave.
        steps: names of the project's steps.

    Raises:
        ProjectError: a step is none of these, or something is no probe.
        UsageError: no probe is called so.
    """
    if isinstance(wanted, str | Probe):
        raise ProjectError(f"probes={wanted!r} is one probe; write a list: probes=[{wanted!r}]")
    if not isinstance(wanted, Mapping):
        found = _probes(wanted)
        return dict.fromkeys(steps, found) if found else {}
    by_step = cast("Mapping[str, Iterable[Probe | str]]", wanted)
    for name in by_step:
        if name not in steps:
            raise ProjectError(
                f"probes= names {name!r}, which is no step of the project{did_you_mean(str(name), steps)}; "
                f"it has: {', '.join(steps) or 'none'}"
            )
    return {name: _probes([one] if isinstance(one, str | Probe) else one) for name, one in by_step.items()}


def _probes(wanted: Iterable[Any]) -> tuple[Probe, ...]:
    return tuple(one if isinstance(one, Probe) else _named(one) for one in wanted)


def _named(one: Any) -> Probe:
    if not isinstance(one, str):
        hint = f"{one.__name__}()" if isinstance(one, type) and issubclass(one, Probe) else "'batches'"
        raise ProjectError(f"{one!r} is no probe; give e.g. {hint}, or one of the names {', '.join(NAMES)}")
    return probe_of(one)


def print_probed(event: Event) -> None:
    """Print what a probe saw, for who listens to nothing else."""
    if isinstance(event, Probed):
        print(f"{event.step}, {event.probe}: {event.text}")  # noqa: T201  It is what was asked for.
