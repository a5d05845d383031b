"""What a sparse tensor consists of: it has no bytes of its own that could be read in order."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

_OF_COMPRESSED = ("crow_indices", "ccol_indices", "col_indices", "row_indices", "values")


def strided_parts(tensor: "Tensor") -> "Iterator[Tensor]":
    """The tensors with strides that a tensor consists of: itself, or the indices and values of a sparse one."""
    import torch

    if tensor.layout is torch.strided:
        yield tensor
        return
    of_coordinates = tensor.layout is torch.sparse_coo
    whole = tensor.detach().coalesce() if of_coordinates else tensor.detach()
    for name in ("indices", "values") if of_coordinates else _OF_COMPRESSED:
        try:
            yield getattr(whole, name)()
        except RuntimeError:  # the layout has no such part
            continue
