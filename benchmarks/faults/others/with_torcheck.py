"""torcheck: every parameter watched over two epochs (changes, stays, NaN, infinite), and the model's outputs.

It raises at the first thing that it finds; here its words are kept and training goes on, so that all are heard.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import lightning as L
import torcheck
from torch import Tensor

from benchmarks.faults.case import Project
from benchmarks.faults.others import Said
from benchmarks.faults.others.common import Ends, classes, declared_frozen, for_forward, training_loader, watched

_KINDS = {
    "should not change": "a frozen parameter changes",
    "should change": "a parameter does not change",
    "contains NaN": "NaN",
    "contains inf": "infinite",
    "shouldn't all": "outputs look like probabilities",
    "doesn't belong to any optimizer": "a parameter belongs to no optimizer",
}


class Checks(L.Callback):
    """Registers optimisers, parameters and the model's output when training starts."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.said: set[str] = set()

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        registry = torcheck.registry
        for optimizer in trainer.optimizers:
            registry.register(optimizer)
        for name, parameter in pl_module.named_parameters():
            moves = parameter.requires_grad and not declared_frozen(self.project, name)
            if parameter not in registry.tensor_to_optimizer and not moves:
                continue  # nothing can move it that torcheck could watch
            with heard(self.said):
                registry.add_tensor(parameter, name, changing=moves, check_nan=True, check_inf=True)
        self._outputs(pl_module)
        for spec in (*registry.optimizer_to_spec.values(), *registry.module_to_spec.values()):
            spec.validate = self._keeping(spec.validate)

    def _outputs(self, model: Any) -> None:
        batch = next(iter(training_loader(self.project)))
        try:
            _, rest, _, output = for_forward(model, batch)
        except ValueError:
            return
        if not isinstance(output, Tensor):
            return  # its checks are of a tensor
        logits = {"output_range": (0, 1), "negate_range": True} if classes(output, rest) else {}
        torcheck.registry._add_output_check(  # noqa: SLF001 - its public way adds checks of all parameters again
            model, "model", check_nan=True, check_inf=True, **logits
        )

    def _keeping(self, validate: Callable[..., None]) -> Callable[..., None]:
        def keeping(*arguments: Any) -> None:
            with heard(self.said):
                validate(*arguments)

        return keeping


@contextmanager
def heard(said: set[str]) -> Iterator[None]:
    """Keeps what torcheck raises."""
    try:
        yield
    except RuntimeError as error:
        kinds = {kind for words, kind in _KINDS.items() if words in str(error)}
        if not kinds:
            raise
        said |= kinds


def judge(project: Project, seed: int) -> Said:
    checks = Checks(project)
    watched(project, seed, Ends(), checks)
    return [(one, "error") for one in sorted(checks.said)]
