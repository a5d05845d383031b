"""`python -m benchmarks.faults.prove [--seed 0] [--part opened] [--clean] [name ...]`: does each case hold its title?

Trains every clean project, which has to beat a dummy, and every faulty one, whose true quality on the clean validation
rows stands beside; then what each of them logs at the end of its training, where a fault of metrics shows, and the
warnings that its user would have seen.
"""

import argparse
import logging
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from benchmarks.faults import Case, Project, modules
from benchmarks.faults.training import trained

# Lightning's advice on speed, which is no word on correctness.
_ADVICE = ("does not have many workers", "The number of training batches")


class Row(NamedTuple):
    """What one training came to; a quality is the better the higher."""

    quality: float
    dummy: float
    seconds: float
    logged: dict[str, float]
    warned: tuple[str, ...]


def key(module: ModuleType, seeded: Callable[[int], Project], seed: int) -> str:
    return f"{module.__name__} {seeded!r} {seed}"


def run(module: ModuleType, project: Project, clean: Project, seed: int) -> Row:
    """The model's quality, the dummy's, seconds, and what was logged at the end."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        began = time.perf_counter()
        model, trainer = trained(project, Path(folder), seed)
        seconds = time.perf_counter() - began
        quality, dummy = module.measure(model.eval(), clean)
    logged = {name: float(value) for name, value in trainer.callback_metrics.items()}
    words = {str(one.message) for one in caught if not issubclass(one.category, DeprecationWarning | FutureWarning)}
    warned = tuple(sorted(one for one in words if not any(advice in one for advice in _ADVICE)))
    return Row(quality, dummy, seconds, logged, warned)


def line(case: Case, kind: str, row: Row) -> str:
    told = " ".join(f"{name}={value:.3g}" for name, value in sorted(row.logged.items()) if "_step" not in name)
    told += "".join(f"\n    warned: {one}" for one in row.warned)
    if kind == "clean" and not row.quality > row.dummy + 0.05:
        told += "\n    NOT CLEARLY BETTER THAN THE DUMMY"
    return f"{case.name:36} {kind:6} quality {row.quality:8.3f} dummy {row.dummy:7.3f} {row.seconds:5.1f} s  {told}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="cases, or the beginnings of their names")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--part", default="opened")
    parser.add_argument("--clean", action="store_true", help="the clean projects alone, each once")
    arguments: Any = parser.parse_args()
    for name in ("lightning", "lightning.pytorch", "lightning.fabric", "pytorch_lightning"):
        logging.getLogger(name).setLevel(logging.ERROR)
    done: dict[str, Row] = {}
    for module in modules(arguments.part):
        for case in module.CASES:
            if arguments.names and not case.name.startswith(tuple(arguments.names)):
                continue
            clean = case.clean(arguments.seed)
            for kind, seeded in (("clean", case.clean), ("faulty", case.faulty)):
                if seeded is None:
                    continue
                known = key(module, seeded, arguments.seed)
                if arguments.clean and (kind == "faulty" or known in done):
                    continue
                if known not in done:
                    done[known] = run(module, seeded(arguments.seed), clean, arguments.seed)
                print(line(case, kind, done[known]), flush=True)


if __name__ == "__main__":
    main()
