"""`art verify`: whether this very artifact has a complete, fresh record that meets a standard."""

import sys
from contextlib import redirect_stdout
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from art_training.cli.options import Json, StoreOption, WhichProject

if TYPE_CHECKING:
    from art_training.project import ArtProject
    from art_training.standards import Assessment, Standard, Waiver
    from art_training.stores import Store

_STDOUT = "-"
_FILES = {".ckpt", ".pt", ".pth", ".bin", ".zip", ".safetensors", ".onnx", ".pt2"}


class Format(StrEnum):
    """How the answer is written."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


_ENDS = {".json": Format.JSON, ".md": Format.MARKDOWN, ".markdown": Format.MARKDOWN, ".txt": Format.TEXT}


def verify(
    subject: Annotated[
        str | None,
        typer.Argument(
            metavar="CHECKPOINT|RUN",
            help="The file that is to be released, or a run as for `art show`. By default the project's record as it stands.",
            show_default=False,
        ),
    ] = None,
    *,
    standard: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE.toml|FILE.py:NAME",
            help="An installed standard, such as minimal, karpathy or ml-test-score, or one in a file. By default the project's.",
            show_default=False,
        ),
    ] = None,
    waivers: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.toml",
            help="Waivers beside those that the project declares, as [[waivers]].",
            show_default=False,
        ),
    ] = None,
    record_only: Annotated[
        bool,
        typer.Option(
            "--record-only",
            help="Do not import the project: judge the store alone, which cannot know what changed since the last plan.",
        ),
    ] = False,
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="text|json|markdown",
            help="A table, evidence for programs, or Markdown; by default as the file's name ends, else a table.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where to; - is stdout, the default.", show_default=False),
    ] = None,
    project: WhichProject = None,
    store: StoreOption = None,
    json: Json = False,
) -> int:
    """Say whether a file's record is fresh and meets a standard.

    By its bytes it must be the model that the project delivers, nothing may be outdated, and the record must meet each
    requirement, or have it waived. Exit codes: 0 it does, 1 it does not, 2 wrong use, 3 it cannot be judged.
    """
    from art_training.cli.commands.report import require_place, write
    from art_training.cli.verifying import EXITS, as_json, as_markdown, as_text

    wanted = _format(form, output, as_data=json)
    if output not in {None, _STDOUT}:
        require_place(Path(str(output)))
    with redirect_stdout(sys.stderr):  # what the user's code prints is no result
        found = _assessed(subject, standard, waivers, project, store, record_only=record_only)
    text = {Format.TEXT: as_text, Format.JSON: as_json, Format.MARKDOWN: as_markdown}[wanted](found)
    if output in {None, _STDOUT}:
        sys.stdout.write(text)
    else:
        write(Path(str(output)), text.encode())
        from art_training.views.evidence import headline

        sys.stdout.write(f"{headline(found)}\nwrote {output}\n")
    return EXITS[found.state]


def _assessed(
    subject: str | None,
    standard: str | None,
    waivers: Path | None,
    project: str | None,
    store: str | None,
    *,
    record_only: bool,
) -> "Assessment":
    from art_training import __version__
    from art_training.cli.history import history
    from art_training.cli.standing import standing
    from art_training.cli.verifying import require_standard
    from art_training.standards import assess, read_waivers
    from art_training.views import planned_of
    from art_training.views.recorded import record_of

    asked = None if standard is None else require_standard(standard)
    granted = () if waivers is None else read_waivers(waivers)
    if record_only:
        if asked is None:
            raise _no_standard("--record-only does not read the project's file, where its standard may stand")
        with history(project, store) as (opened, name):
            what = _subject(opened, name, subject)
            record = record_of(opened, name, planned_of(opened, name), subject=what, version=__version__)
            return assess(asked, record, granted, recorded=True)
    with standing(project, store, named=True, recorded=True) as known:
        declared = known.declared
        what = _subject(known.store, known.project, subject, declared)
        record = record_of(known.store, known.project, known.plan, known.continuing, subject=what, version=__version__)
        return assess(asked or _declared(declared), record, [*_of_project(declared), *granted])


def _declared(project: "ArtProject | None") -> "Standard":
    if project is None or project.standard is None:
        raise _no_standard("the project declares none" if project else "the project's file was not read")
    return project.standard


def _of_project(project: "ArtProject | None") -> "tuple[Waiver, ...]":
    return project.waivers if project else ()


def _no_standard(why: str) -> Exception:
    from art_training.errors import UsageError
    from art_training.plugins import offered

    known = ", ".join(sorted(offered("standards")))
    return UsageError(
        f"it is not said which standard is asked for: {why}; name one with --standard ({known}, or a file), or declare it: "
        "ArtProject(..., standard='karpathy')"
    )


def _subject(
    store: "Store", project: str, text: str | None, declared: "ArtProject | None" = None
) -> "str | Path | None":
    """A file, or the id of a run.

    Raises:
        UsageError: there is no such file.
        ProjectError: there is no such run.
    """
    from art_training.errors import UsageError
    from art_training.views import find_run

    if text is None:
        return None
    path = Path(text).expanduser()
    if path.is_dir():
        raise UsageError(f"{text} is a folder; name the file that is to be released, such as {path / 'last.ckpt'}")
    if path.suffix == ".py":
        raise UsageError(f"{text} is no model and no run; a project's file is given with --project {text}")
    if path.is_file():
        return path
    if "/" in text or path.suffix.lower() in _FILES:
        raise UsageError(f"there is no file {text}; `art export STEP` writes the files of a step")
    if store.run(text) is not None:  # of whatever project: that of another one is refused, with the reason
        return text
    names = tuple(step.name for step in declared.steps) if declared else ()
    return find_run(store, project, text, lambda: names).id


def _format(asked: str | None, output: str | None, *, as_data: bool) -> Format:
    """As it was asked for, else as the file's name ends, else a table.

    Raises:
        UsageError: it is written so by none, or two wishes contradict each other.
    """
    from art_training.errors import UsageError

    if asked is not None and asked not in set(Format):
        raise UsageError(f"--format {asked} is none of {', '.join(Format)}; give one of them")
    if as_data and asked not in {None, Format.JSON.value}:
        raise UsageError(f"--json and --format {asked} contradict each other; leave one of them out")
    if as_data or asked is not None:
        return Format.JSON if as_data else Format(str(asked))
    return _ENDS.get(Path(output or "").suffix.lower(), Format.TEXT)
