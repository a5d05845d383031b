"""`art diagnose`: what is wrong with a training set-up."""

import ast
import sys
from contextlib import redirect_stdout
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from art_training.cli.exits import ExitCode

if TYPE_CHECKING:
    from art_training.diagnosis.result import Diagnosis

_Many = list[str]
_STYLES = {
    "healthy": "bold green", "findings": "bold red", "inconclusive": "bold yellow", "error": "bold red",
    "warning": "bold yellow", "info": "bold cyan", "name": "bold", "label": "dim",
}  # fmt: skip


class Format(StrEnum):
    """How the account is written."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    JUNIT = "junit"
    HTML = "html"


def diagnose(
    model: Annotated[
        str | None, typer.Argument(metavar="[PATH.py:MODEL]", help="The model; by default this folder's project.")
    ] = None,
    *,
    data: Annotated[
        str | None, typer.Option(metavar="PATH.py:DATA", help="The data of the model.", show_default=False)
    ] = None,
    trainer: Annotated[
        _Many | None, typer.Option(metavar="KEY=VALUE", help="A setting of the Trainer.", show_default=False)
    ] = None,
    hparam: Annotated[
        _Many | None, typer.Option(metavar="KEY=VALUE", help="A hyper-parameter of the model.", show_default=False)
    ] = None,
    declare: Annotated[
        _Many | None, typer.Option(metavar="KEY=VALUE", help="What no tool can see.", show_default=False)
    ] = None,
    ignore: Annotated[
        _Many | None, typer.Option(metavar="CODE[=REASON]", help="A rule that is not judged.", show_default=False)
    ] = None,
    budget: Annotated[float, typer.Option(metavar="SECONDS", help="About how long it may take.")] = 60.0,
    seed: Annotated[int, typer.Option(help="Everything random follows from it.")] = 0,
    form: Annotated[Format, typer.Option("--format", help="How the account is written.")] = Format.TEXT,
) -> int:
    """Say what is silently wrong with a training, and why.

    Exit codes: 0 healthy, 1 something was found, 2 wrong use, 3 inconclusive, 130 and 143 interrupted by Ctrl-C and SIGTERM.
    """
    from art_training.cli.loading import load_object, load_project
    from art_training.cli.locating import locate
    from art_training.diagnosis.diagnose import diagnose as diagnosed
    from art_training.diagnosis.formats import FORMATS
    from art_training.errors import UsageError
    from art_training.runner.terminating import ending_on_sigterm

    declared = _pairs("--declare", declare)
    options: dict[str, Any] = {"budget": budget, "seed": seed, "ignore": _reasons(ignore)}
    # What the user's code prints is no result.
    with redirect_stdout(sys.stderr), ending_on_sigterm(left="a diagnosis keeps nothing, begin it again"):
        if data is not None:
            if model is None:
                raise UsageError(
                    "--data is given without a model; write art diagnose PATH.py:MODEL --data PATH.py:DATA"
                )
            made = (load_object(model), load_object(data))
            settings = {"trainer": _pairs("--trainer", trainer), "hparams": _pairs("--hparam", hparam)}
            found = diagnosed(*made, **settings, **options, **declared)
        else:
            setup = load_project(locate(model)).setup
            changed = {"trainer": _pairs("--trainer", trainer), "hparams": _pairs("--hparam", hparam)}
            setup = setup.but(**{name: value for name, value in changed.items() if value})
            found = diagnosed(setup, **options, **declared)
    if form is Format.TEXT:
        _show(found)
    else:
        sys.stdout.write(FORMATS[form.value](found).rstrip("\n") + "\n")
    codes = {"healthy": ExitCode.PASSED, "findings": ExitCode.FAILED, "inconclusive": ExitCode.NOT_JUDGED}
    return codes[found.status]


def _show(diagnosis: "Diagnosis") -> None:
    """The account in the colours and the width of the terminal."""
    from rich.text import Text

    from art_training.cli.output import console
    from art_training.diagnosis.account import WIDTH, lines

    drawn = console()
    for line in lines(diagnosis, min(drawn.width, WIDTH)):
        drawn.print(Text.assemble(*((part.text, _STYLES.get(part.kind, "")) for part in line)), soft_wrap=True)


def _reasons(given: list[str] | None) -> dict[str, str]:
    """`CODE` or `CODE=REASON`."""
    return {code: reason for code, _, reason in (one.partition("=") for one in given or ())}


def _pairs(option: str, given: list[str] | None) -> dict[str, Any]:
    """`key=value` by key; what reads as a Python literal is one."""
    from art_training.errors import UsageError

    pairs: dict[str, Any] = {}
    for one in given or ():
        key, equals, value = one.partition("=")
        if not equals or not key:
            raise UsageError(f"{option} {one} is no KEY=VALUE; write for example {option} max_epochs=20")
        try:
            pairs[key] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            pairs[key] = value
    return pairs
