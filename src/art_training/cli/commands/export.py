"""`art export`: the files of a run, under their own names."""

import shutil
import sys
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Annotated

import typer

from art_training.cli.options import Json, Run, StoreOption, WhichProject


def export(
    run: Run,
    folder: Annotated[
        Path | None, typer.Argument(help="Where to; by default a folder called like the step.", show_default=False)
    ] = None,
    *,
    name: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Only the artifact of this name, as `art show` lists it.", show_default=False
        ),
    ] = None,
    project: WhichProject = None,
    store: StoreOption = None,
    json: Json = False,
) -> None:
    """Copy the files that a run left into a folder.

    A file that is there already stays as it is.
    """
    from art_training.cli.history import declared_steps, history
    from art_training.cli.output import put_json
    from art_training.errors import UsageError
    from art_training.views import find_run, view_of
    from art_training.views.wording import size

    with history(project, store) as (opened, of):
        declared = partial(declared_steps, project, of)
        record = find_run(opened, of, run, declared)
        outcome = view_of(opened, record).outcome
        artifacts = {one.name: one for one in (outcome.artifacts if outcome else ())}
        if not artifacts:
            raise UsageError(
                f"the run {record.id} of {record.step!r} left no files; `art show {record.step}` says what it has"
            )
        unknown = [one for one in name or () if one not in artifacts]
        if unknown:
            raise UsageError(f"{record.step!r} left no {unknown[0]!r}; it left: {', '.join(artifacts)}")
        where = folder or Path(record.step)
        written: list[tuple[Path, int]] = []
        for one in name or artifacts:
            target = where / _inside(one)
            if target.exists():
                raise UsageError(f"{target} is there already; remove it, or name another folder")
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(opened.artifacts.fetch(artifacts[one].digest), target)
            except OSError as error:
                raise UsageError(
                    f"{target} cannot be written: {error.strerror or error}; name another folder"
                ) from None
            written.append((target, artifacts[one].bytes))
    if json:
        put_json({"run": record.id, "files": [str(path) for path, _ in written]})
        return
    sys.stdout.write("".join(f"{path} ({size(count)})\n" for path, count in written))


def _inside(name: str) -> Path:
    """A name as a path that stays in its folder: names may have slashes (`member 1/last.ckpt`)."""
    parts = [part for part in PurePosixPath(name).parts if part not in {"/", "..", "."}]
    return Path(*parts)
