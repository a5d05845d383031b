"""What the rooms of setup need to watch a model without an engine."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
import torch

from art_training.records import Split
from art_training.setup import batch as batches
from art_training.setup.observation import BatchObservation
from art_training.setup.observer import observe_calls

Watch = Callable[..., list[BatchObservation]]


@pytest.fixture
def watch() -> Watch:
    """Pass batches through `module.validation_step` as an engine does, and say what was seen."""

    def watched(
        module: Any, data: Iterable[Any], split: Split = Split.VALIDATION, loader: str | None = None
    ) -> list[BatchObservation]:
        seen: list[BatchObservation] = []
        module.eval()
        with torch.no_grad():
            for index, batch in enumerate(data):
                with observe_calls(module) as calls:
                    returned = module.validation_step(batch, index)
                seen.append(
                    BatchObservation(
                        split=split,
                        loader=loader,
                        index=index,
                        batch=batch,
                        returned=returned,
                        losses=calls.losses,
                        metric_inputs=calls.metric_inputs,
                        logged=calls.logged,
                        weight=batches.size(batch),
                    )
                )
        return seen

    return watched
