"""The learning rate of each optimiser step, in place of the schedulers of the module."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from torch import Tensor

from art_training.engines.engine import FitJob
from art_training.engines.lightning.failures import name_of
from art_training.engines.lightning.recorder import Recorder
from art_training.errors import SetupError

INITIAL = "initial_lr"  # where torch's own schedulers keep it


class Rates:
    """The callback that sets learning rates, just before each step of each optimiser.

    Every optimiser counts its own steps. The first group of parameters has the rate itself; another one keeps its
    proportion to it, as it is where the schedulers begin (`initial_lr` of torch), or as declared where there is none.
    """

    def __init__(self, job: FitJob, recorder: Recorder) -> None:
        super().__init__()
        assert job.rate is not None
        self._rate: Callable[[int], float] = job.rate
        self._recorder = recorder
        self._base = 1.0
        self._steps: dict[int, int] = {}  # by the place of the optimiser

    def prepare(self, trainer: Any) -> None:
        """The optimisers have been made.

        Raises:
            SetupError: an optimiser has no learning rate, or cannot be followed step by step.
        """
        strategy, module = trainer.strategy, trainer.lightning_module
        if module.automatic_optimization:
            strategy.lr_scheduler_configs = []
        for config in strategy.lr_scheduler_configs:  # the module steps these by itself, and shall find them
            config.scheduler = _Still(config.scheduler)
        for optimizer in strategy.optimizers:
            for group in optimizer.param_groups:
                group[INITIAL] = float(_initial(group, optimizer))
        rates = [group[INITIAL] for optimizer in strategy.optimizers for group in optimizer.param_groups]
        self._base = next((rate for rate in rates if rate > 0), 0.0)
        for index, optimizer in enumerate(strategy.optimizers):
            before_each_step(optimizer, self._setting(trainer, index))

    # Hooks.

    def on_train_start(self, trainer: Any, module: Any) -> None:
        """Training begins, and has been described with what the module configures."""
        self._recorder.parameters |= {"schedulers": [], "rate": name_of(self._rate)}

    def state_dict(self) -> dict[str, Any]:
        """Steps so far, for a resumption."""
        return {"steps": dict(self._steps)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        self._steps = dict(state["steps"])

    # Its own work.

    def _setting(self, trainer: Any, index: int) -> Callable[[Any], None]:
        def set_rates(optimizer: Any) -> None:
            step = self._steps.get(index, 0)
            self._steps[index] = step + 1
            rate = float(self._rate(step))
            if not (math.isfinite(rate) and rate >= 0):
                raise SetupError(
                    f"rate {name_of(self._rate)} gave {rate} at step {step}; a learning rate is finite and not negative"
                )
            for group in optimizer.param_groups:
                share = group[INITIAL] / self._base if self._base else 1.0
                set_rate(group, rate * share)
            self._recorder.curves.add_rates(trainer, optimizer)

        return set_rates


def set_rate(group: dict[str, Any], rate: float) -> None:
    """Set the learning rate of a group of parameters, which may be kept as a tensor."""
    if isinstance(group["lr"], Tensor):
        group["lr"].fill_(rate)
    else:
        group["lr"] = rate


def before_each_step(optimizer: Any, work: Callable[[Any], None]) -> None:
    """Do something just before each step of an optimiser.

    Raises:
        SetupError: it is none of torch, and tells nobody when it steps.
    """
    register = getattr(optimizer, "register_step_pre_hook", None)
    if register is None:
        raise SetupError(
            f"the optimiser {name_of(type(optimizer))} is no torch.optim.Optimizer, so that it cannot be followed step "
            "by step; derive it from that class"
        )

    def hook(stepping: Any, *_: Any) -> None:
        work(stepping)

    register(hook)


def after_optimizers(trainer: Any, prepare: Iterable[Callable[[Any], None]]) -> None:
    """Do something once the optimisers of a training have been made, before any state is restored into them."""
    works = list(prepare)
    if not works:
        return
    strategy = trainer.strategy
    original = strategy.setup_optimizers

    def setup_optimizers(given: Any) -> None:
        original(given)
        for work in works:
            work(trainer)

    strategy.setup_optimizers = setup_optimizers


def _initial(group: Mapping[str, Any], optimizer: Any) -> Any:
    rate = group.get(INITIAL, group.get("lr"))
    if rate is None:
        raise SetupError(
            f"the optimiser {name_of(type(optimizer))} has no learning rate to set; give it one, e.g. lr=1e-3"
        )
    return rate


class _Still:
    """Stands for a scheduler that the module steps by itself, and does nothing when it does."""

    def __init__(self, scheduler: Any) -> None:
        self._scheduler = scheduler

    def step(self, *_: Any, **__: Any) -> None:
        """The rate is set at each step."""

    def __getattr__(self, name: str) -> Any:
        if name == "_scheduler":
            raise AttributeError(name)
        return getattr(self._scheduler, name)
