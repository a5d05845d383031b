"""Statistics of any tensor at any module or stage of a model, in lines that read well."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from art_training.errors import UsageError
from art_training.probes.attached.probe import Left, Probe, Tell, Watch
from art_training.probes.attached.text import numbers, told_all
from art_training.probes.decorating import decorate
from art_training.probes.heard import layers
from art_training.probes.monitor import Moment
from art_training.records import Plain
from art_training.records.meant import did_you_mean
from art_training.setup.called import Called
from art_training.setup.data.batch import entries


@dataclass(frozen=True, kw_only=True)
class Statistics(Probe):
    """Shape, type, range, mean and share of NaN of what goes into parts of the model, and of what comes out.

    Attributes:
        of: names of modules as `named_modules()` has them, or patterns such as `encoder.*`; or names of methods, such as
            the stages of an `ArtModule`. None: every layer.
    """

    of: Sequence[str] = ()

    name: ClassVar[str] = "statistics"

    def __post_init__(self) -> None:
        super().__post_init__()
        wanted = (self.of,) if isinstance(self.of, str) else tuple(self.of)
        for one in wanted:
            if not isinstance(one, str) or not one:
                raise UsageError(f"of={one!r} of {self.name} is no name of a module or stage")
        object.__setattr__(self, "of", wanted)

    def watch(self, tell: Tell, called: Called) -> "Watch":
        return _Watch(self, tell, called)


class _Watch(Watch):
    def __init__(self, probe: Statistics, tell: Tell, called: Called) -> None:
        super().__init__(probe.every, tell)
        self._of = probe.of
        self._called = called
        self._rows: list[Mapping[str, Plain]] = []

    def look(self, moment: Moment) -> None:
        root, step = moment.module, moment.step
        see = functools.partial(self._see, step)
        modules, stages = self._found(root)
        for name, module in modules.items():
            before, after = functools.partial(see, f"{name} in"), functools.partial(see, f"{name} out")
            self.hooks.callback(module.register_forward_pre_hook(_given(before), with_kwargs=True).remove)
            self.hooks.callback(module.register_forward_hook(_gave(after)).remove)
        for stage in stages:
            before, after = functools.partial(see, f"{stage} in"), functools.partial(see, f"{stage} out")
            self.hooks.enter_context(decorate(root, stage, before=_arguments(before), after=after))

    def left(self) -> Sequence[Left]:
        return (Left("statistics", "statistics of tensors over training", rows=self._rows),) if self._rows else ()

    def _found(self, root: nn.Module) -> tuple[dict[str, nn.Module], list[str]]:
        """The modules and the methods that are meant.

        Raises:
            UsageError: a name stands for none.
        """
        if not self._of:
            return {self._called.shown(name) or "model": one for name, one in layers(root)}, []
        own_names = {name: one for name, one in root.named_modules() if name.startswith(self._called.prefix) and name}
        shown = {self._called.shown(name): one for name, one in own_names.items()}
        found: dict[str, nn.Module] = {}
        stages: list[str] = []
        for wanted in self._of:
            own = {name: one for name, one in shown.items() if self._called.means((wanted,), name)}
            exact = {wanted: shown[wanted]} if wanted in shown else own
            if exact:
                found |= exact
            elif callable(getattr(root, wanted, None)):
                stages.append(wanted)
            else:
                raise UsageError(
                    f"the model has no module or stage {wanted!r}{did_you_mean(wanted, shown)}; "
                    f"its modules are: {', '.join(shown) or 'none'}"
                )
        return found, stages

    def _see(self, step: int, where: str, value: Any) -> None:
        def see() -> None:
            for line in told_all(value, where):
                self.tell(f"step {step}, {line}")
            for path, one in entries(value).items():
                if isinstance(one, Tensor) and one.numel() and not one.is_sparse:
                    self._rows.append({"step": step, "tensor": f"{where}{f'[{path}]' if path else ''}", **_row(one)})

        self.seeing(see)


def _row(tensor: Tensor) -> dict[str, Plain]:
    return {"type": str(tensor.dtype).removeprefix("torch."), "shape": list(tensor.shape), **numbers(tensor)}


def _given(see: Callable[[Any], None]) -> Callable[..., None]:
    def hook(_: nn.Module, given: tuple[Any, ...], named: Mapping[str, Any]) -> None:
        see(_unpacked(given, named))

    return hook


def _gave(see: Callable[[Any], None]) -> Callable[..., None]:
    def hook(_: nn.Module, __: Any, output: Any) -> None:
        see(output)

    return hook


def _arguments(see: Callable[[Any], None]) -> Callable[..., None]:
    def before(*given: Any, **named: Any) -> None:
        see(_unpacked(given, named))

    return before


def _unpacked(given: tuple[Any, ...], named: Mapping[str, Any]) -> Any:
    """A single argument stands for itself."""
    if len(given) == 1 and not named:
        return given[0]
    return {**{str(place): one for place, one in enumerate(given)}, **named}
