"""Which rows loaders of validation and test would serve, told by their samplers; no row is read."""

import copy
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from typing import Any

from art_training.probes.coverage import map_style
from art_training.probes.specimen import Plan, Specimen
from art_training.records import Split

_MOST_ROWS = 2_000_000


@dataclass(frozen=True)
class Serving:
    """What one pass over a loader serves.

    Attributes:
        split: of the loader.
        loader: its name; None where the split has one.
        rows: of its dataset.
        offered: that its sampler draws.
        served: that come in batches.
        repeated: that come more than once.
        kept: that come in batches where a short last one is kept.
        drops_last: whether a short last batch is left out.
        size: rows of a full batch; 0 where batches differ.
        shared: whether another loader serves the same dataset.
    """

    split: Split
    loader: str | None
    rows: int
    offered: int
    served: int
    repeated: int
    kept: int
    drops_last: bool
    size: int = 0
    shared: bool = False

    @property
    def cut(self) -> int:
        """Rows after the last full batch that the sampler does not draw; 0 where it draws all, or some on purpose."""
        left = self.rows - self.offered
        whole = self.size > 1 and self.offered > 0 and self.offered % self.size == 0
        return left if whole and 0 < left < self.size and not (self.repeated or self.shared) else 0


def servings(specimen: Specimen) -> tuple[Serving, ...]:
    """One for each loader of validation and test whose samplers can be asked."""
    owners = Counter(id(getattr(one, "dataset", one)) for many in specimen.loaders.values() for one in many.values())
    found = [
        _serving(split, name, loader, shared=owners[id(getattr(loader, "dataset", loader))] > 1)
        for split in (Split.VALIDATION, Split.TEST)
        for name, loader in specimen.loaders.get(split, {}).items()
    ]
    return tuple(one for one in found if one is not None)


def plan(specimen: Specimen) -> Plan:
    """How long and by what rules the training would go on."""
    return specimen.plan


def _serving(split: Split, name: str | None, loader: Any, *, shared: bool) -> Serving | None:
    batches, dataset = getattr(loader, "batch_sampler", None), getattr(loader, "dataset", None)
    # The batches of a stream come of a sampler without an end, also where the stream has a length.
    if batches is None or not map_style(loader) or not hasattr(dataset, "__len__") or not hasattr(batches, "drop_last"):
        return None
    rows = len(dataset)  # pyright: ignore[reportArgumentType]
    offered = sum(1 for _ in islice(batches.sampler, _MOST_ROWS + 1))
    if max(rows, offered) > _MOST_ROWS:
        return None
    served = Counter[Any](index for batch in batches for index in batch)
    whole = copy.copy(batches)
    whole.drop_last = False
    return Serving(
        split=split,
        loader=name,
        rows=rows,
        offered=offered,
        served=sum(served.values()),
        repeated=sum(count - 1 for count in served.values()),
        kept=sum(len(batch) for batch in whole),
        drops_last=bool(batches.drop_last),
        size=int(getattr(batches, "batch_size", 0) or 0),
        shared=shared,
    )
