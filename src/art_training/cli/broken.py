"""`art learn --broken`: a project in which something is silently wrong, and what an answer is worth."""

import shlex
import textwrap
from pathlib import Path

from art_training.cli.exits import ExitCode

_WIDTH = 88


def here() -> Path | None:
    """The working directory, where a project was dealt into it before."""
    from art_training.learning.dealing import SEALED

    return Path() if Path(SEALED).exists() else None


def deal_into(folder: Path) -> int:
    """Deal a project, and say what to do with it."""
    from art_training.cli.output import console
    from art_training.learning.dealing import deal

    deal(folder)
    change = "" if folder.resolve() == Path.cwd() else f"    cd {shlex.quote(str(folder))}\n"
    console().print(
        f"{folder.resolve().name} holds a classifier of digits in three files. It runs, and something is silently wrong with it: no "
        "exception, only a worse model. Which kind of fault is it, and where?\n\n"
        f"{change}    art run\n\n"
        "Read the code and what the checks say; `art diagnose` would find it, so keep that for later. Then, in the folder:\n\n"
        "    art learn --answer CATEGORY --where FILE:LINE\n"
        "    art learn --give-up\n\n"
        "CATEGORY is one of those that `art rules` lists, such as loss, mode or split."
    )
    return ExitCode.PASSED


def answer(folder: Path, category: str, where: str) -> int:
    """Mark an answer; the exit code says whether it is right."""
    from art_training.cli.output import console
    from art_training.learning.marking import mark

    found = mark(folder, category, where)
    shown = console()
    if found.right:
        nth = "at the first try" if found.tries == 1 else f"at try {found.tries}"
        shown.print(f"Right, {nth}: {category}.")
        _tell(folder)
        return ExitCode.PASSED
    told = f"The category is right, and {where} is not the place." if found.category else f"Not {category}."
    shown.print(f"{told} {found.hint}")
    return ExitCode.FAILED


def give_up(folder: Path) -> int:
    """Say what it was."""
    _tell(folder)
    return ExitCode.PASSED


def _tell(folder: Path) -> None:
    from art_training.cli.output import console
    from art_training.learning.dealing import lines_of
    from art_training.learning.marking import given_up

    fault = given_up(folder)
    lines = lines_of(fault)
    shown = console()
    width = min(shown.width, _WIDTH)
    shown.print()
    shown.print(f"{fault.file}, line {lines.start}: {' or '.join(fault.categories)}")
    shown.print(textwrap.fill(fault.why, width))
    shown.print("\nWrong:\n" + textwrap.indent(textwrap.dedent(fault.wrong).rstrip(), "    "))
    shown.print("\nRight:\n" + textwrap.indent(textwrap.dedent(fault.right).rstrip(), "    "))
    shown.print(
        f"\n`art diagnose` finds it in seconds, and `art explain {fault.rule}` says more. "
        "`art learn --broken` in the same folder deals another."
    )
