"""How long a phase is going to take, told by how fast it went."""

_LEAST_SECONDS = 1.0  # of a pace that is worth telling


class Pace:
    """What is left of each phase, estimated from its progress since its first batch.

    The time until the first batch is left out: workers start in it, and kernels are compiled.
    """

    def __init__(self) -> None:
        self._first: dict[str, tuple[float, float]] = {}

    def left(self, phase: str, done: float | None, now: float) -> float | None:
        """Seconds left of a phase of which a share is done; None as long as too little is known."""
        if not done:
            return None
        began, before = self._first.setdefault(phase, (now, done))
        if done < before:  # the phase has begun anew
            began, before = self._first[phase] = now, done
        if done <= before or now - began <= _LEAST_SECONDS:
            return None
        return (now - began) * (1 - done) / (done - before)
