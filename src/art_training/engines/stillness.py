"""Which modules a frozen part takes with it: those whose parameters are frozen, and statistics that belong to them."""

from collections.abc import Mapping, Sequence


def stays(module: str, entries: Sequence[str], frozen: Mapping[str, bool]) -> bool:
    """Whether the buffers of a module, such as statistics of a batch norm, stay with what is frozen.

    They do where all parameters of the module are frozen. One that has none, as a batch norm without `affine`, goes with the
    innermost module around it that has some: with all of these where they agree, else with the layer that stands before
    it there, and with the one behind it if it is the first.

    Args:
        module: its name; empty for the model itself.
        entries: names of parameters and buffers in the order in which the model registers them.
        frozen: of each parameter, whether it is.
    """
    for around in modules_around(module):
        within = [name for name in entries if not around or name.startswith(f"{around}.")]
        own = [name for name in within if name in frozen]
        if not own:
            continue
        if around == module or len({frozen[name] for name in own}) == 1:
            return all(frozen[name] for name in own)
        before = within[: next(at for at, name in enumerate(within) if name.startswith(f"{module}."))]
        nearest = next((name for name in reversed(before) if name in frozen), own[0])
        layer = layer_of(nearest)
        return all(frozen[name] for name in own if layer_of(name) == layer)
    return False


def layer_of(name: str) -> str:
    """The module that a parameter or buffer is registered in."""
    return name.rpartition(".")[0]


def modules_around(module: str) -> list[str]:
    """A module and those that it is in, from itself outwards to the model, whose name is empty."""
    parts = module.split(".") if module else []
    return [".".join(parts[:end]) for end in range(len(parts), -1, -1)]
