"""What a careful user knows of a setup and no tool can see; each is also a promise that the setup is held to."""

import difflib
from collections.abc import Callable, Mapping
from typing import Any

from art_training.errors import SetupError

KNOWN: Mapping[str, str] = {
    "frozen": "parameters that must not move: names of submodules or patterns, such as ['backbone', 'encoder.layers.*']",
    "pretrained": "True, the names of submodules, or where the weights that fresh models begin with are from",
    "stochastic_eval": "True where evaluation is random on purpose, as with dropout that stays on",
    "couples_examples": "True where examples of a batch are meant to see each other, as in contrastive learning",
    "grad_clip": "the largest gradient norm that training is meant to allow",
    "groups": "a function of an example that gives its group, which must not be in two splits",
    "time": "a function of an example that gives its time; training must lie before validation",
    "padding": "the token or value that pads sequences",
    "reserved_classes": "classes that no example has, on purpose",
    "imbalance_expected": "True where classes are as unequal, or splits as different, as they should be",
    "linear_model": "True where a model without a nonlinearity is meant",
    "unordered": "True where the order of a sequence carries nothing; False where it must count",
    "unused": "parameters that get no gradient on purpose: names of submodules or patterns",
    "ties": "True where weights are shared on purpose",
    "same_order": "True where every epoch is meant to have the same order",
    "label_noise": "True where labels are known to be wrong in part",
    "few_updates": "True where so few optimiser steps are meant",
}
_FUNCTIONS = ("groups", "time")
_FLAGS = (
    "stochastic_eval", "couples_examples", "imbalance_expected", "linear_model", "unordered", "ties", "same_order",
    "label_noise", "few_updates",
)  # fmt: skip


def check_declarations(declared: Mapping[str, Any]) -> None:
    """Raise where a declaration is none, or of the wrong kind.

    Raises:
        SetupError: with the names that there are.
    """
    for name, value in declared.items():
        if name not in KNOWN:
            close = difflib.get_close_matches(name, KNOWN, 1)
            remedy = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(KNOWN)}"
            raise SetupError(f"declarations has {name!r}, which is none; {remedy}")
        if name in _FLAGS and not isinstance(value, bool):
            raise SetupError(f"the declaration {name}={value!r} must be True or False: {KNOWN[name]}")
        if name in _FUNCTIONS and not isinstance(value, Callable):
            raise SetupError(f"the declaration {name}={value!r} cannot be called; give {KNOWN[name]}")
        if name in {"frozen", "unused"} and not _are_names(value):
            raise SetupError(f"the declaration {name}={value!r} is no list of names; give {KNOWN[name]}")
        if name == "grad_clip" and not (isinstance(value, int | float) and not isinstance(value, bool) and value > 0):
            raise SetupError(f"the declaration grad_clip={value!r} must be a number above 0: {KNOWN[name]}")


def _are_names(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(one, str) for one in value)
