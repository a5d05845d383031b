"""The Lightning engine: the only code that imports lightning."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from art_training.engines.lightning.engine import LightningEngine

__all__ = ["LightningEngine"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from art_training.engines.lightning.engine import LightningEngine

    return LightningEngine
