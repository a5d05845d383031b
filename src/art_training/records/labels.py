"""Labels of trainings, of a step that has several."""

import re

_SEED = re.compile(r",? ?seed \d+")


def without_seed(label: str) -> str:
    """What trainings of one setup under several seeds have in common: `too fast` of `too fast, seed 2`."""
    return _SEED.sub("", label)
