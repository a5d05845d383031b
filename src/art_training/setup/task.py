"""What a setup is for: the kind of task, which entry of a batch is what, and the loss."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, Self


class TaskKind(StrEnum):
    """What is learned."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"
    MULTI_LABEL = "multi-label"
    SEQUENCE = "sequence"  # one class a position
    RECONSTRUCTION = "reconstruction"
    OTHER = "other"


Activation = Literal["softmax", "sigmoid", "exp", "none"]


@dataclass(frozen=True)
class Task:
    """What was inferred from a setup, once; every field can be declared instead (`Setup(task={...})`).

    Attributes:
        kind: what is learned.
        inputs: paths of the batch entries that enter the model, e.g. `("0",)` or `("input_ids", "mask")`; a nested
            entry is written with dots.
        target: path of the entry that is learned; None where none was recognised.
        loss: name of the loss function as torch calls it, e.g. `cross_entropy`; empty where none was seen.
        loss_options: its options as seen in the call (plain data): `reduction`, `label_smoothing`, `ignore_index`, ...
        classes: number of classes or labels, where that means something.
        activation: what turns predictions into probabilities; `none` where they are what they are.
        source: where predictions and targets are found, in words.
        declared: the fields that the user declared.
        notes: what could not be told, and what to declare.
    """

    kind: TaskKind
    inputs: tuple[str, ...] = ()
    target: str | None = None
    loss: str = ""
    loss_options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    classes: int | None = None
    activation: Activation = "none"
    source: str = ""
    declared: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @classmethod
    def parse(cls, stored: Mapping[str, Any]) -> Self:
        """Read what `plain(task)` made."""
        values: dict[str, Any] = {**stored, "kind": TaskKind(stored["kind"])}
        for name in ("inputs", "declared", "notes"):
            values[name] = tuple(stored[name])
        return cls(**values)

    def _kind(self) -> str:
        if self.kind is TaskKind.SEQUENCE:
            classes = f"one of {self.classes} classes" if self.classes else "a class"
            return f"{self.kind.value} or mask, {classes} at each position"
        return self.kind.value + (f", {self.classes} classes" if self.classes else "")

    def __str__(self) -> str:
        rows = [
            ("task", self._kind()),
            ("inputs", ", ".join(f"batch[{name}]" for name in self.inputs) or "not recognised"),
            ("target", "not recognised" if self.target is None else f"batch[{self.target}]"),
            ("loss", self.loss or "not recognised"),
            ("outputs from", self.source or "not recognised"),
        ]
        if self.declared:
            rows.append(("declared", ", ".join(self.declared)))
        rows += [("note", note) for note in self.notes]
        return "\n".join(f"{name:<13}{value}" for name, value in rows)
