"""What has changed in a template comes into a project that was made of it, and what its owner has changed stays."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from art_training.errors import UsageError
from art_training.templates.rendering import ANSWERS, the_copier, told


def update_project(folder: Path, answers: Mapping[str, str], *, trust: bool = False) -> list[str]:
    """Update a project from the template that it was made of; sentences that say what was done.

    Args:
        folder: of the project.
        answers: that shall be others than they were.
        trust: whether the template may run commands and load extensions of its own.

    Raises:
        UsageError: the project is of no template, or of none that has versions; it is no git repository, or has changes that are
            not committed; or the template cannot be read.
        MissingExtra: copier is not installed.
    """
    copier = the_copier()
    kept = _answers(folder)
    if "art_template" in kept:
        from art_training.templates.releases import update_shipped

        return update_shipped(folder, kept, answers)
    if "_commit" not in kept:
        raise UsageError(
            f"the template of {folder / ANSWERS}, {kept.get('_src_path', 'which is not named')}, has no versions, so that nobody knows what "
            "has changed in it; keep it in a git repository, and make projects of that"
        )
    before = str(kept["_commit"])
    notes = told(
        lambda: copier.run_update(folder, data=dict(answers), defaults=True, overwrite=True, quiet=True, unsafe=trust),
        f"{folder} cannot be updated",
    )
    after = str(_answers(folder).get("_commit", before))
    if after == before:
        return [*notes, f"{folder} is made of the newest version of its template already: {after}."]
    return [*notes, f"Updated from {before} to {after}: look at it with `git diff`, and commit it."]


def _answers(folder: Path) -> dict[str, Any]:
    """What the project was made of.

    Raises:
        UsageError: there is nothing that tells it.
    """
    from yaml import YAMLError, safe_load

    file = folder / ANSWERS
    try:
        kept = safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(
            f"{folder} has no {ANSWERS}, which tells the template that a project was made of; name its folder"
        ) from None
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        raise UsageError(f"{file} cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(kept, dict):
        raise UsageError(f"{file} holds no answers; take it back from the project's first commit")
    return kept
