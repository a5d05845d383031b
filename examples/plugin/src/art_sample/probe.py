"""A probe: measures on a few batches, and never changes the run."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from art_training.probes import Specimen


@dataclass(frozen=True)
class Columns:
    """What enters the first layer, where that is a table.

    Attributes:
        count: of columns; 0 where no table enters.
        twins: pairs of columns that are the same in every row, though not constant, numbered from 0.
    """

    count: int = 0
    twins: tuple[tuple[int, int], ...] = ()


def columns(specimen: Specimen) -> Columns:
    """Listen at every layer while one batch passes; the first that is called tells what enters the model."""
    heard: list[Tensor] = []

    def listen(module: nn.Module, arguments: tuple[object, ...]) -> None:
        del module
        if not heard and arguments and isinstance(arguments[0], Tensor):
            heard.append(arguments[0].detach())

    layers = [one for one in specimen.module.modules() if not list(one.children())]
    hooks = [one.register_forward_pre_hook(listen) for one in layers]
    try:
        specimen.observe(specimen.batches[0])
    finally:
        for hook in hooks:
            hook.remove()
    if not heard or heard[0].ndim != 2 or len(heard[0]) < 2:
        return Columns()
    table = heard[0]
    varying = [place for place in range(table.shape[1]) if table[:, place].unique().numel() > 1]
    pairs = ((one, other) for at, one in enumerate(varying) for other in varying[at + 1 :])
    return Columns(table.shape[1], tuple(pair for pair in pairs if torch.equal(table[:, pair[0]], table[:, pair[1]])))
