"""Curves of the layers of a model: by the hundred, so that they are kept apart from those that people look at one by one."""

import re
from dataclasses import dataclass
from typing import Self

# What is measured of a layer; see `art_training.probes.layers.Layers`.
GRADIENT = "grad_norm"
UPDATE = "update_ratio"
ACTIVATION = "activation_rms"
SILENT = "silent_units"
SATURATED = "saturated_units"

_NAME = re.compile(r"(?:(?P<training>.*)/)?(?<!logged/)layers/(?P<statistic>[a-z_]+)/(?P<layer>.+)")


@dataclass(frozen=True)
class LayerCurve:
    """The name of a curve that tells of one layer.

    Attributes:
        training: the label of the training, where its step has several; else empty.
        statistic: what is measured, such as `grad_norm`.
        layer: the module's name.
    """

    training: str
    statistic: str
    layer: str

    @classmethod
    def parse(cls, name: str) -> Self | None:
        """Read the name of a curve; None of one that tells of no layer."""
        found = _NAME.fullmatch(name)
        return None if found is None else cls(found["training"] or "", found["statistic"], found["layer"])

    def __str__(self) -> str:
        name = f"layers/{self.statistic}/{self.layer}"
        return f"{self.training}/{name}" if self.training else name
