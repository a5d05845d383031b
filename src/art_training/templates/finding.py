"""Which template is meant: one that is offered by name, a folder, or a git repository."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from art_training.errors import UsageError
from art_training.plugins import load, offered, tell
from art_training.records.meant import did_you_mean
from art_training.templates.template import Template

GROUP = "templates"
_SETTINGS = ("copier.yml", "copier.yaml")
_ADDRESSES = ("git+", "git@", "gh:", "gl:", "https://", "http://", "ssh://", "file://")


def all_templates() -> Mapping[str, Template]:
    """The templates that are offered by name, ART's own and those of other distributions.

    One that cannot be imported, or is none, is left out, with a warning.
    """
    found: dict[str, Template] = {}
    for name in sorted(offered(GROUP)):
        try:
            found[name] = _offered(name)
        except UsageError as error:
            tell(f"{GROUP}/{name}", str(error))
    return found


def find_template(wanted: str) -> Template:
    """The template of that name or at that place.

    Args:
        wanted: a name that is offered; a path, with a slash in it, of a folder with `copier.yml`; or the address of a git
            repository, as git or copier writes it.

    Raises:
        UsageError: there is none of the name, or none in the folder.
    """
    if wanted in offered(GROUP):
        return _offered(wanted)
    if wanted.startswith(_ADDRESSES):
        return Template(wanted)
    folder = Path(wanted).expanduser()
    if os.sep in wanted or "/" in wanted or wanted in {".", ".."} or wanted.endswith(".git"):
        return Template(str(_with_settings(folder)))
    names = sorted(offered(GROUP))
    here = f"; the folder of that name is written ./{wanted}" if folder.is_dir() else ""
    raise UsageError(
        f"no template is called {wanted!r}{did_you_mean(wanted, names)}{here}; there are: {', '.join(names)}; or give a folder or the "
        "address of a git repository"
    )


def _with_settings(folder: Path) -> Path:
    if not folder.exists():
        raise UsageError(
            f"there is no template at {folder}, which does not exist; `art new --list` names those that there are"
        )
    bare = (folder / "HEAD").is_file() and (folder / "objects").is_dir()
    if not bare and not any((folder / name).is_file() for name in _SETTINGS):
        raise UsageError(
            f"{folder} is no template: it has no copier.yml, which asks what a project of it needs to know"
        )
    return folder.resolve()


def _offered(name: str) -> Template:
    found: Any = load(GROUP, name)
    try:
        found = found() if callable(found) else found
    except Exception as error:  # a function of others, which may raise anything
        raise UsageError(
            f"the template {name!r} ({offered(GROUP)[name].value}) raised {type(error).__name__}: {error}"
        ) from error
    if isinstance(found, str | Path):
        found = Template(found)
    if not isinstance(found, Template):
        raise UsageError(
            f"the template {name!r} ({offered(GROUP)[name].value}) is of type {type(found).__name__}; it must be a path, the address "
            "of a git repository, a Template, or a function that returns one of them"
        )
    return replace(found, name=name)
