"""What an earlier transfer handed on, taken back: models that begin as the setup itself makes them."""

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

from art_training.setup.modified import ModifiedModel
from art_training.setup.setup import Setup
from art_training.steps.transfer.begin import Begin


def from_scratch(setup: Setup) -> Setup:
    """The setup whose fresh models begin with nothing that an earlier transfer handed on; itself where there is nothing."""
    return _kept(setup, lambda _: False)


def anew(setup: Setup, names: Collection[str]) -> Setup:
    """The setup whose fresh models draw what is named anew; itself where no earlier transfer handed on any of it.

    Args:
        setup: of the models.
        names: of weights, as the engine calls them.
    """
    return _kept(setup, lambda name: name not in names)


def _kept(setup: Setup, keep: Callable[[str], bool]) -> Setup:
    """The setup whose models begin with what is kept of the weights that were handed on, by name."""
    model = setup.model
    if not isinstance(model, ModifiedModel):
        return setup
    modifiers: list[Callable[[Any], Any]] = []
    for modifier in model.modifiers:
        if not isinstance(modifier, Begin) or all(map(keep, modifier.names)):
            modifiers.append(modifier)
        elif names := {name: place for name, place in modifier.names.items() if keep(name)}:
            modifiers.append(modifier.only(names))
    if tuple(modifiers) == model.modifiers:
        return setup
    return setup.but(model=replace(model, modifiers=tuple(modifiers)) if modifiers else model.base)
