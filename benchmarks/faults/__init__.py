"""The fault benchmark: small real-looking projects, each with a silent fault planted in it and a clean twin.

`cases/` holds one base project a file, with `CASES`, and `measure(model, clean)`, which gives the true quality of a
trained model on the clean project's validation rows (higher is better) and that of a dummy. `outside.md` lists the
faults that a setup cannot show. `python -m benchmarks.faults.prove` trains every project and shows what each fault
spoils; `python -m benchmarks.faults` how ART diagnoses them, `python -m benchmarks.faults.others` what other tools say.
"""

import importlib
from pathlib import Path
from types import ModuleType

from benchmarks.faults.case import CATEGORIES, Case, Project

__all__ = ["CATEGORIES", "Case", "Project", "load", "modules"]

_PARTS = {"opened": "cases", "held_out": "held_out", "sealed": "sealed"}


def modules(part: str = "opened") -> tuple[ModuleType, ...]:
    """The files of one part, by name.

    Raises:
        ValueError: there is no such part.
        FileNotFoundError: the part is not in this checkout.
    """
    if part not in _PARTS:
        raise ValueError(f"no part {part!r} of the benchmark; there are: {', '.join(_PARTS)}")
    folder = Path(__file__).parent / _PARTS[part]
    if not folder.is_dir():
        raise FileNotFoundError(f"the part {part!r} is not in this checkout: there is no folder {folder}")
    names = sorted(path.stem for path in folder.glob("[!_]*.py"))
    return tuple(importlib.import_module(f"{__name__}.{folder.name}.{name}") for name in names)


def load(part: str = "opened") -> tuple[Case, ...]:
    """The cases of one part: `opened`, which authors of rules read; `held_out`, which they do not, but of whose misses they were
    told the kind; or `sealed`, of which they know nothing, so that its figures are blind."""
    return tuple(case for module in modules(part) for case in module.CASES)
