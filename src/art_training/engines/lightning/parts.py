"""Parts of a model that do not train, that train later, or that train at another rate."""

from collections.abc import Iterable, Mapping
from types import MethodType
from typing import Any

from torch import Tensor, nn

from art_training.engines.engine import FitJob
from art_training.engines.lightning.groups import Groups
from art_training.engines.lightning.patterns import Plan, plan
from art_training.engines.lightning.recorder import Recorder
from art_training.engines.shaping import Parts
from art_training.engines.stillness import stays


class Freezing:
    """The callback that keeps parameters frozen until they thaw, and splits groups of parameters by their rates.

    What is frozen has no gradient and is in no group of an optimiser, so that neither momentum nor weight decay can move
    it; a module all of whose parameters are frozen stays in evaluation mode, and so does a batch norm without parameters
    that belongs to it (`stillness`). Optimisers and schedulers are made by the module before anything is frozen: one that
    asks for the parameters that train gets all of them, and those that thaw later are not missing then.
    """

    def __init__(self, job: FitJob, recorder: Recorder) -> None:
        super().__init__()
        assert job.parts is not None
        self._parts: Parts = job.parts
        self._recorder = recorder
        self._plan = Plan()
        self._groups: list[Groups] = []
        self._epoch = 0  # the epoch that the groups are those of
        self._resumed: list[Any] = []
        self._held: dict[nn.Module, dict[nn.Module, bool]] = {}

    def prepare(self, trainer: Any) -> None:
        """The optimisers have been made.

        Raises:
            SetupError: a pattern matches nothing, or nothing is left that trains.
        """
        module = trainer.lightning_module
        self._plan = plan(self._parts, module)
        first = 0
        for optimizer in trainer.strategy.optimizers:
            groups = Groups(optimizer, self._plan, first=first)
            groups.schedule([config.scheduler for config in trainer.strategy.lr_scheduler_configs])
            first += len(groups.parents)
            self._groups.append(groups)
        for groups, settings in zip(self._groups, self._resumed, strict=False):
            groups.take(settings)
        self._freeze(module)

    # Hooks.

    def on_train_start(self, trainer: Any, module: Any) -> None:
        """Training begins; Lightning has said what it has to say about modules in evaluation mode."""
        self._hold(module)
        frozen, thaw = self._plan.frozen, self._plan.thaw
        by_epoch = {epoch: [name for name in frozen if thaw.get(name) == epoch] for epoch in sorted(set(thaw.values()))}
        self._recorder.parameters["parts"] = {
            "frozen": list(frozen),
            "thaw": {str(epoch): names for epoch, names in by_epoch.items()},
            "rates": dict(self._parts.rates),
        }

    def on_train_epoch_start(self, trainer: Any, module: Any) -> None:
        """An epoch begins: what thaws with it trains from now on."""
        if trainer.current_epoch != self._epoch:
            self._epoch = trainer.current_epoch
            self._freeze(module)
            self._hold(module)

    def state_dict(self) -> dict[str, Any]:
        """Which groups there are, and what schedulers have made of them."""
        return {"epoch": self._epoch, "groups": [groups.settings() for groups in self._groups]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there; the optimisers are made after this."""
        self._epoch, self._resumed = state["epoch"], state["groups"]

    # Its own work.

    def _freeze(self, module: Any) -> None:
        """Bring parameters and groups to what they are in this epoch."""
        for name, parameter in module.named_parameters():
            if name in self._plan.frozen:
                parameter.requires_grad_(not self._plan.is_frozen(name, self._epoch))
                if not parameter.requires_grad:
                    parameter.grad = None
        for groups in self._groups:
            groups.activate(self._epoch)

    def _hold(self, module: Any) -> None:
        """Keep what is frozen in evaluation mode, and let go what is not any more."""
        names = {parameter: name for name, parameter in module.named_parameters()}
        wanted = list(_wholly_frozen(module, names, self._plan, self._epoch))
        for one in [one for one in self._held if one not in wanted]:
            del one.__dict__["train"]
            for child, training in self._held.pop(one).items():
                child.training = training
        for one in wanted:
            if one not in self._held:
                self._held[one] = {child: child.training for child in one.modules()}
                one.eval()
                one.__dict__["train"] = MethodType(_stay, one)


def _wholly_frozen(module: nn.Module, names: Mapping[Tensor, str], plan: Plan, epoch: int) -> Iterable[nn.Module]:
    """The outermost modules whose parameters are all frozen, at least one of them by the plan, and what stays with them."""
    held = list(_frozen_through(module, names, plan, epoch))
    yield from held
    inside = {one for outer in held for one in outer.modules()}
    entries = list(_registered(module))
    frozen = {
        name: not one.requires_grad and plan.is_frozen(names[one], epoch)
        for name, one in module.named_parameters(remove_duplicate=False)
    }
    for name, one in module.named_modules():
        is_statistics = next(one.buffers(recurse=False), None) is not None and next(one.parameters(), None) is None
        if is_statistics and one not in inside and stays(name, entries, frozen):
            yield one


def _registered(module: nn.Module) -> Iterable[str]:
    """Names of parameters and buffers, in the order in which a model registers them."""
    for prefix, one in module.named_modules(remove_duplicate=False):
        for name, _ in (*one.named_parameters(recurse=False), *one.named_buffers(recurse=False)):
            yield f"{prefix}.{name}" if prefix else name


def _frozen_through(module: nn.Module, names: Mapping[Tensor, str], plan: Plan, epoch: int) -> Iterable[nn.Module]:
    parameters = list(module.parameters())
    frozen = [plan.is_frozen(names[one], epoch) for one in parameters]
    if any(frozen) and not any(one.requires_grad for one in parameters):
        yield module
        return
    for child in module.children():
        yield from _frozen_through(child, names, plan, epoch)


def _stay(module: nn.Module, mode: bool = True) -> nn.Module:  # noqa: ARG001  The signature of `nn.Module.train`.
    """In place of `train`: a frozen module stays in evaluation mode whoever asks."""
    return module
