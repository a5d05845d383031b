"""What a case of the fault benchmark is: a project with one fault planted in it, and the same project without."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

CATEGORIES = (
    "data",
    "split",
    "labels",
    "preprocessing",
    "model",
    "initialization",
    "loss",
    "optimizer",
    "schedule",
    "mode",
    "metrics",
    "evaluation",
    "reproducibility",
    "transfer",
    "checkpoint",
    "numerics",
)


@dataclass(frozen=True)
class Project:
    """What a user would hand to `art.diagnose(model, data, trainer=..., hparams=..., **declarations)`.

    Attributes:
        model: a LightningModule class or a factory of one; or a class or factory of a plain nn.Module, in which case
            `declarations` has its `loss` and `optimizer`.
        data: a LightningDataModule class or a factory of one, or `art.data(...)`.
        trainer: settings of the Trainer. Callbacks are made anew for each project, never shared.
        hparams: keyword arguments of `model`.
        declarations: what a careful user of this project would declare.
    """

    model: Callable[..., Any]
    data: Any
    trainer: Mapping[str, Any] = field(default_factory=dict[str, Any])
    hparams: Mapping[str, Any] = field(default_factory=dict[str, Any])
    declarations: Mapping[str, Any] = field(default_factory=dict[str, Any])


Seeded = Callable[[int], Project]


@dataclass(frozen=True)
class Case:
    """One fault with its clean twin, or, where `faulty` is None, a clean set-up that looks suspicious.

    Attributes:
        name: unique, `<file>-<what>`.
        title: what is wrong and what it spoils; or why the clean set-up looks suspicious.
        categories: those of `CATEGORIES` that are right as the first finding's, best first; none for clean set-ups.
        faulty: the project with the fault, from a seed (0, 1, 2) that draws data and sizes.
        clean: the project without it, from the same seed.
        source: an id of the catalogue (`D07`), an address, or `own`.

    Raises:
        ValueError: the categories are unknown, or do not go with `faulty`.
    """

    name: str
    title: str
    categories: tuple[str, ...]
    faulty: Seeded | None
    clean: Seeded
    source: str

    def __post_init__(self) -> None:
        if unknown := [one for one in self.categories if one not in CATEGORIES]:
            raise ValueError(f"{self.name}: no category {unknown[0]!r}; there are: {', '.join(CATEGORIES)}")
        if bool(self.categories) != (self.faulty is not None):
            raise ValueError(f"{self.name}: categories={self.categories!r}; a fault has some, a clean set-up has none")
