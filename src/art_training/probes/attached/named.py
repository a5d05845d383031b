"""Probes by name, as a command line and `project.run(probes=["batches"])` ask for them."""

from collections.abc import Mapping

from art_training.errors import UsageError
from art_training.probes.attached.batches import Batches
from art_training.probes.attached.flow import Activations, Gradients, Updates
from art_training.probes.attached.predictions import Predictions
from art_training.probes.attached.probe import SINKS, Probe, Sink
from art_training.probes.attached.statistics import Statistics
from art_training.records.meant import did_you_mean

_KINDS: Mapping[str, type[Probe]] = {
    one.name: one for one in (Batches, Statistics, Predictions, Gradients, Activations, Updates)
}
NAMES = tuple(_KINDS)


def probe_of(text: str, to: tuple[Sink, ...] = SINKS) -> Probe:
    """The probe that is asked for.

    Args:
        text: a name; of statistics also what of: `statistics=encoder.0,head`.
        to: where what it sees goes.

    Raises:
        UsageError: there is none of this name, or it takes no such argument.
    """
    name, given, value = text.partition("=")
    if name not in _KINDS:
        raise UsageError(f"no probe is called {name!r}{did_you_mean(name, NAMES)}; there are: {', '.join(NAMES)}")
    if not given:
        return _KINDS[name](to=to)
    parts = tuple(part.strip() for part in value.split(",") if part.strip())
    if name != Statistics.name:
        raise UsageError(
            f"{text!r}: {name} takes nothing behind the sign; only statistics does, e.g. statistics=encoder.0"
        )
    if not parts:
        raise UsageError(
            f"{text!r} names no module; write e.g. statistics=encoder.0,head, or statistics alone for every layer"
        )
    return Statistics(of=parts, to=to)
