"""Predictions and losses of single examples as a file, so that a training need not be made again to be compared."""

from pathlib import Path
from typing import Any

from art_training.setup.scores.examples import Examples
from art_training.setup.scores.measures import Pool


def write_examples(examples: Examples, path: Path) -> Path:
    """Write what the scores of a split were computed on, as arrays of NumPy."""
    import numpy as np

    arrays: dict[str, Any] = {"count": np.array(examples.count)}
    for name in ("losses", "weights"):
        if (values := getattr(examples, name)) is not None:
            arrays[name] = np.asarray(values)
    if examples.pool is not None:
        for name in ("predictions", "targets", "example"):
            if (tensor := getattr(examples.pool, name)) is not None:
                # NumPy knows no bfloat16; float32 holds each of its numbers.
                arrays[name] = (tensor.float() if "bfloat16" in str(tensor.dtype) else tensor).numpy()
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)
    return path


def read_examples(path: Path) -> Examples:
    """Read what `write_examples` wrote. Nothing in the file is run."""
    import numpy as np
    import torch

    with np.load(path, allow_pickle=False) as arrays:
        held = {name: arrays[name] for name in arrays.files}
    pool = None
    if "predictions" in held:
        example = torch.from_numpy(held["example"]) if "example" in held else None
        pool = Pool(torch.from_numpy(held["predictions"]), torch.from_numpy(held["targets"]), example)
    return Examples(int(held["count"]), pool, held.get("losses"), held.get("weights"))
