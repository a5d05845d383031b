"""The same cases before the tools that exist: one file a tool, each with `judge(project, seed)`.

`judge` gives `(code or text, severity)` of everything that the tool says about one project, with severities `error`,
`warning` and `info`. A tool gets everything that its own documentation asks for and that a project can give.
"""

import importlib
from collections.abc import Callable
from pathlib import Path

from benchmarks.faults.case import Project

__all__ = ["TOOLS", "Said", "judge_of", "versions"]

Said = list[tuple[str, str]]
TOOLS = ("lightning", "torch-audit", "torcheck", "torchtest2", "trainproof")


def judge_of(tool: str) -> Callable[[Project, int], Said]:
    """The judge of one tool; its package is imported by this."""
    return importlib.import_module(f"{__name__}.with_{tool.replace('-', '_')}").judge


def versions() -> dict[str, str]:
    """The versions that are pinned."""
    lines = Path(__file__).with_name("requirements.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if "==" in line)
