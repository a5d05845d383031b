"""What really enters a model: after the loader, the transfer and whatever the step does before its first layer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from art_training.errors import UsageError
from art_training.probes.attached.probe import Left, Probe, Tell, Watch
from art_training.probes.attached.text import told, told_all
from art_training.probes.heard import layers
from art_training.probes.monitor import Moment
from art_training.setup.called import Called

_TEXTS = 4  # rows that are told in words

Decode = Callable[[Any], str]
"""One row of what enters, as a NumPy array -> a text that people can read."""


@dataclass(frozen=True, kw_only=True)
class Batches(Probe):
    """The batch as the loader gives it, and exactly what the first layer is given of it.

    Images are kept as a contact sheet, other rows as a table. Without `every`, the first batch of training is looked at
    alone; that of the first validation always is: what enters there should differ in nothing but augmentation.

    Attributes:
        examples: of a batch that are kept.
        decode: makes a text of one row of what enters; the first few are told.
    """

    examples: int = 16
    decode: Decode | None = None

    name: ClassVar[str] = "batches"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.examples, int) or self.examples < 1:
            raise UsageError(f"examples={self.examples!r} of {self.name} must be 1 or more")

    def watch(self, tell: Tell, called: Called) -> "Watch":
        return _Watch(self, tell, called)


class _Watch(Watch):
    def __init__(self, probe: Batches, tell: Tell, called: Called) -> None:
        super().__init__(probe.every, tell, once=True)
        self._probe = probe
        self._called = called
        self._seen: list[Left] = []
        self._validated = False

    def look(self, moment: Moment) -> None:
        self._look(moment.module, moment.batch, f"step {moment.step}", f"step-{moment.step}")

    def predicting(self, moment: Moment) -> None:
        if not self._validated and not self.failure:
            self._validated = True
            self.guarded(lambda one: self._look(one.module, one.batch, "validation", "validation"), moment)

    def validated(self, moment: Moment) -> None:
        self.hooks.close()

    def left(self) -> Sequence[Left]:
        return self._seen

    def _look(self, root: nn.Module, batch: Any, when: str, name: str) -> None:
        for line in told_all(batch, "batch"):
            self.tell(f"{when}, {line}")
        heard: list[str] = []
        for layer, module in layers(root):

            def hook(_: nn.Module, given: tuple[Any, ...], layer: str = layer) -> None:
                if not heard and given and isinstance(given[0], Tensor) and given[0].ndim:
                    heard.append(layer)
                    self.seeing(lambda: self._entered(layer, given[0], when, name))

            self.hooks.callback(module.register_forward_pre_hook(hook).remove)

    def _entered(self, layer: str, given: Tensor, when: str, name: str) -> None:
        shown = self._called.shown(layer) or "the model"
        self.tell(f"{when}, enters {shown}: {told(given)}")
        kept = given.detach()[: self._probe.examples].cpu().clone()
        if self._probe.decode is not None:
            for row in kept[:_TEXTS]:
                self.tell(f"{when}, decoded: {self._probe.decode(row.numpy())}")
        note = f"exactly what {shown} is given of the first {len(kept)} examples, {when}"
        self._seen.append(Left(name, note, examples=kept))
