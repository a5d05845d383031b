"""Loggers that stand in where the user has none: what a training logs becomes curves, what a pass logs goes nowhere."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from art_training.engines.lightning.curves import Curves


class _Anything:
    """Takes whatever is called on an `experiment`: histograms and figures have nowhere to go."""

    def __getattr__(self, name: str) -> "_Anything":
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *_: Any, **__: Any) -> "_Anything":
        return self


class SilentLogger:
    """Takes whatever is logged, and keeps nothing: a pass shall not fail because a step reaches for its logger."""

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__()
        self._folder = None if folder is None else str(folder)

    @property
    def name(self) -> str:
        """The logger's name."""
        return "art"

    @property
    def version(self) -> str:
        """Nothing is written, so there is only one."""
        return ""

    @property
    def save_dir(self) -> str | None:
        """Where callbacks write beside it."""
        return self._folder

    @property
    def log_dir(self) -> str | None:
        """Where callbacks write beside it."""
        return self._folder

    @property
    def experiment(self) -> Any:
        """Accepts the calls of any logging service, and does nothing."""
        return _Anything()

    def log_hyperparams(self, *_: Any, **__: Any) -> None:
        """The setup is recorded already."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """What a pass logs is read from its trainer."""


class StandInLogger(SilentLogger):
    """Stands in for a logger of the user's, whatever methods it has of its own: `log_image`, `watch`."""

    def __getattr__(self, name: str) -> Any:
        return getattr(_Anything(), name)


class CurveLogger(SilentLogger):
    """Hands every logged value over as a point of the curve `logged/<name>`."""

    def __init__(self, curves: Curves, folder: Path) -> None:
        super().__init__(folder)
        self._curves = curves

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Hand values over, at the optimiser step that they belong to: Lightning's own `step` lags by one."""
        epoch = int(metrics.get("epoch", 0))
        self._curves.add_logged({name: float(value) for name, value in metrics.items() if name != "epoch"}, epoch)
