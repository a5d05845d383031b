"""What the user calls the features of a table, so that a finding says `age` where it would say `0[3]`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from art_training.errors import ProjectError, SetupError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Named = Sequence[str] | Mapping[str, Sequence[str]]  # of the one table, or of each by its path


def read_names(given: Any, owner: str) -> Named:
    """Names as they are kept.

    Args:
        given: a list, an array or a pandas Index of names, or a mapping of such.
        owner: whose they are, for the error.

    Raises:
        ProjectError: it is none of these, or a name stands twice.
    """
    if isinstance(given, Mapping):
        tables = cast("Mapping[Any, Any]", given)
        return {str(path): _names(one, f"columns[{path!r}] of {owner}") for path, one in tables.items()}
    return _names(given, f"columns of {owner}")


def names_by_path(named: Named, tables: Mapping[str, "NDArray[Any]"]) -> Mapping[str, Sequence[str]]:
    """The names of the features of each table that has some.

    Args:
        named: what the user calls them.
        tables: numeric inputs of the sample by path; those of (rows, features) are tables.

    Raises:
        SetupError: the names do not fit the inputs.
    """
    if not named:
        return {}
    widths = {path: column.shape[1] for path, column in tables.items() if column.ndim == 2}
    there = "inputs that are tables: " + (", ".join(f"{path!r} of {width}" for path, width in widths.items()) or "none")
    if isinstance(named, Mapping):
        for path, names in named.items():
            if widths.get(path) != len(names):
                raise SetupError(
                    f"columns gives {len(names)} names to {path!r}, which has not as many features; {there}"
                )
        return named
    fitting = [path for path, width in widths.items() if width == len(named)]
    if len(fitting) != 1:
        which = " and ".join(map(repr, fitting)) + " have" if fitting else "no input has"
        raise SetupError(
            f"columns gives {len(named)} names, and {which} as many features; {there}; give as many names as one table has "
            "features, or {path: names}"
        )
    return {fitting[0]: named}


def _names(given: Any, what: str) -> tuple[str, ...]:
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise ProjectError(f"{what} is {given!r}; give a list of names, one a feature")
    names = tuple(cast("Iterable[Any]", given))
    for name in names:
        if not isinstance(name, str):
            raise ProjectError(f"{what} holds {name!r}; names are texts, one a feature")
        if names.count(name) > 1:
            raise ProjectError(f"{what} holds {name!r} twice; each feature has a name of its own")
    return tuple(map(str, names))
