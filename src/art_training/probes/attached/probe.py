"""What a user attaches to trainings: when it looks, and where what it saw goes."""

import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from torch import Tensor

from art_training.errors import UsageError
from art_training.probes.monitor import Moment, Monitor
from art_training.records import Plain
from art_training.records.meant import did_you_mean
from art_training.setup.called import Called

Sink = Literal["console", "log", "store"]
"""Where what a probe saw goes: to whoever started the run, into the log of the run, and as files of the run."""

_GROWTH = 4  # from one step that is looked at to the next

SINKS: tuple[Sink, ...] = get_args(Sink)

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Left:
    """What a probe leaves of a training, to be kept as a file.

    Attributes:
        name: of the file, without its ending.
        note: what it is.
        rows: of a table.
        examples: (n, ...) what entered, example by example, to be drawn where these are images, else a table.
    """

    name: str
    note: str
    rows: Sequence[Mapping[str, Plain]] = ()
    examples: Tensor | None = None


@dataclass(frozen=True, kw_only=True)
class Probe(ABC):
    """Looks at the trainings of a run. What it is made of is declared; for each training it makes a `Watch`.

    Attributes:
        every: optimiser steps from one look to the next; None: at 0, 1, 4, 16, 64, ..., ever more rarely.
        to: where what it sees goes: `console`, `log`, `store`.
    """

    every: int | None = None
    to: tuple[Sink, ...] = SINKS

    name: ClassVar[str]

    def __post_init__(self) -> None:
        if self.every is not None and (not isinstance(self.every, int) or self.every < 1):
            raise UsageError(f"every={self.every!r} of {self.name} must be a number of optimiser steps, 1 or more")
        sinks = (self.to,) if isinstance(self.to, str) else tuple(self.to)
        for one in sinks:
            if one not in SINKS:
                raise UsageError(
                    f"to={one!r} of {self.name} is no place{did_you_mean(str(one), SINKS)}; there are: {', '.join(SINKS)}"
                )
        object.__setattr__(self, "to", sinks)

    @abstractmethod
    def watch(self, tell: Tell, called: Called) -> "Watch":
        """What watches one training.

        Args:
            tell: is given what was seen, a line at a time.
            called: how the user calls the parts of the model.
        """


class Watch(Monitor):
    """Looks at some batches of a training. Nothing is hooked but while such a batch is worked on.

    Args:
        every: as of `Probe`.
        tell: is given what was seen.
        once: where `every` is None, look at the first batch alone.
    """

    def __init__(self, every: int | None, tell: Tell, *, once: bool = False) -> None:
        self.tell = tell
        self.hooks = ExitStack()
        self._every = every
        self._once = once
        self._next: float = 0
        self._looking = False

    def look(self, moment: Moment) -> None:
        """A batch that is to be looked at enters the step; what is pushed on `hooks` lasts until it is done."""

    def looked(self, moment: Moment) -> None:
        """It is done."""

    def left(self) -> Sequence[Left]:
        """What is to be kept of the training, now that it has ended."""
        return ()

    def fail(self, why: str) -> None:
        """Look no further, and say so at once."""
        if not self.failure:
            self.failure = why
            warnings.warn(f"a probe looks no further: {why}", stacklevel=2)

    def seeing(self, see: Callable[[], None]) -> None:
        """Run what a hook does. An exception would end the training: it ends the watch."""
        try:
            see()
        except Exception as error:  # noqa: BLE001
            self.fail(f"it raised {type(error).__name__}: {error}")

    def entering(self, moment: Moment) -> None:
        """Begin to look where it is time to."""
        if self.failure:
            self.hooks.close()
        elif not self._looking and moment.step >= self._next:
            self._looking = True
            self._next = self._after(moment.step)
            self.guarded(self.look, moment)

    def stepped(self, moment: Moment) -> None:
        """Tell what was seen, and look no more for a while."""
        if self._looking:
            self._looking = False
            self.hooks.close()
            if not self.failure:
                self.guarded(self.looked, moment)

    def ended(self, moment: Moment) -> None:
        """Let go of the model."""
        self.hooks.close()

    def _after(self, step: int) -> float:
        """The step of the next look."""
        if self._every:
            return step + self._every
        return math.inf if self._once else max(step + 1, _GROWTH * step)

    def guarded(self, do: Callable[[Moment], None], moment: Moment) -> None:
        """Do this of a moment. What it raises ends the watch, and not the training."""
        try:
            do(moment)
        except UsageError as error:  # what the user asked for is not there
            self.fail(str(error))
        except Exception as error:  # noqa: BLE001
            self.fail(f"it raised {type(error).__name__}: {error}")
        if self.failure:
            self.hooks.close()
