"""`art report`: what happened, in one file, for reading and for print."""

import os
import re
import sys
import tempfile
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from art_training.cli.options import StoreOption, WhichProject

if TYPE_CHECKING:
    from art_training.views.account import Account

_STDOUT = "-"
_LONGEST = 60  # characters of a step's name in the name of a file


class Format(StrEnum):
    """How a report is written."""

    HTML = "html"
    MARKDOWN = "md"


_ENDS = {".html": Format.HTML, ".htm": Format.HTML, ".md": Format.MARKDOWN, ".markdown": Format.MARKDOWN}
_PDF = "for a PDF write the page and print it from a browser"


def report(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN",
            help="Only of this run: an id or a part of it, a step (its newest run), or Step~1. By default of the project.",
            show_default=False,
        ),
    ] = None,
    *,
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="html|md",
            help="A page or Markdown; by default as the file's name ends, else a page. Print the page from a browser for a PDF.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Where to; - is stdout. By default art-report.html here; of a run art-report-STEP-RUN.html.",
            show_default=False,
        ),
    ] = None,
    project: WhichProject = None,
    store: StoreOption = None,
) -> None:
    """Write a report into one file.

    The verdict, the story step by step with figures, data, baselines, the winning set-up, findings, the final test, how to
    reproduce it, and limits. It needs no network and no script, and prints well.
    """
    from art_training.report import as_html, as_markdown, report_of
    from art_training.views.wording import size

    wanted = _format(form, output)
    if output not in {None, _STDOUT}:
        require_place(Path(str(output)))
    account = _account(run, project, store)
    target = output or _usual_name(account, wanted)
    require_place(Path(target))
    made = report_of(account)
    text = as_markdown(made) if wanted is Format.MARKDOWN else as_html(made)
    if target == _STDOUT:
        sys.stdout.write(text)
        return
    data = text.encode()
    there = Path(target).exists()
    write(Path(target), data)
    sys.stdout.write(f"wrote {target} ({size(len(data))}){', in place of the one that was there' if there else ''}\n")


def require_place(file: Path) -> None:
    """Say at once where a file cannot be written.

    Raises:
        UsageError: its folder is not there, or is none.
    """
    from art_training.errors import UsageError

    if file.is_dir():
        raise UsageError(f"{file} is a folder; name a file, such as {file / 'art-report.html'}")
    if not file.parent.is_dir():
        raise UsageError(f"{file} cannot be written: there is no folder {file.parent}; make it, or name another place")


def write(file: Path, data: bytes) -> None:
    """Write a file whole or not at all.

    Raises:
        UsageError: it cannot be written.
    """
    from art_training.errors import UsageError

    beside = ""
    try:
        handle, beside = tempfile.mkstemp(prefix=f".{file.name[:40]}.", dir=file.parent)
        with os.fdopen(handle, "wb") as opened:
            opened.write(data)
        Path(beside).chmod(0o644)
        Path(beside).replace(file)
    except OSError as error:
        if beside:
            with suppress(OSError):
                Path(beside).unlink()
        raise UsageError(f"{file} cannot be written: {error.strerror or error}; name another place") from None


def _format(asked: str | None, output: str | None) -> Format:
    """As it was asked for, else as the file's name ends; the two may not contradict each other.

    Raises:
        UsageError: they do, or no report is written so.
    """
    from art_training.errors import UsageError

    if asked is not None and asked not in list(Format):
        raise UsageError(f"--format {asked} is neither html nor md; {_PDF}")
    end = "" if output in {None, _STDOUT} else Path(str(output)).suffix.lower()
    named = _ENDS.get(end)
    if end == ".pdf" or (end and asked is None and named is None):
        raise UsageError(f"{output} is named like no report: these end in .html or .md; {_PDF}")
    if asked is None:
        return named or Format.HTML
    if named not in {None, asked}:
        raise UsageError(
            f"--format {asked} and the name {output} contradict each other; leave --format out, or name another file"
        )
    return Format(asked)


def _usual_name(account: "Account", form: Format) -> str:
    """Of a run its own, so that it takes the place of no other report."""
    if not account.only:
        return f"art-report.{form.value}"
    step = re.sub(r"[^\w.-]+", "-", account.steps[0].status.step)[:_LONGEST].strip("-")
    return f"art-report-{step}-{account.only.rpartition('-')[2]}.{form.value}"


def _account(run: str | None, project: str | None, store: str | None) -> "Account":
    from functools import partial

    from art_training.cli.history import declared_steps
    from art_training.cli.standing import standing
    from art_training.views import find_run
    from art_training.views.account import account_of, account_of_run

    with standing(project, store, named=True, recorded=True) as known:
        if run is None:
            return account_of(known.store, known.project, known.plan, known.continuing)
        record = find_run(known.store, known.project, run, partial(declared_steps, project, known.project))
        return account_of_run(known.store, record, known.plan, known.continuing)
