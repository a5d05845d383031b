"""A template becomes a folder; copier does the work, and what it cannot do becomes a sentence."""

import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from art_training.errors import MissingExtra, UsageError
from art_training.templates.naming import require_free
from art_training.templates.template import Template

if TYPE_CHECKING:
    from types import ModuleType

ANSWERS = ".copier-answers.yml"
NAMES = ("name", "project_name")  # questions that are answered with the project's name


def the_copier() -> "ModuleType":
    """The module copier.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        import copier
    except ImportError as error:
        raise MissingExtra(
            f"projects are made by copier, which cannot be imported ({error}): pip install 'art-training[new]'"
        ) from None
    return copier


def render(
    template: Template,
    folder: Path,
    answers: Mapping[str, Any],
    *,
    kept: Mapping[str, Any] | None = None,
    trust: bool = False,
) -> list[str]:
    """Make a project; what is worth knowing beside it.

    Args:
        template: what it is made of.
        folder: where; it must be empty, or not there yet. Where rendering fails, nothing is left in it.
        answers: to the template's questions, by name; they come before the template's own. Each must be asked for.
        kept: answers from an earlier time, which this version may ask for or not.
        trust: whether the template may run commands and load extensions of its own.

    Raises:
        UsageError: the folder is not empty, or the template cannot be read, wants to run commands and is not trusted, or an answer does not fit.
        MissingExtra: copier is not installed.
    """
    copier = the_copier()
    require_free(folder)
    there = folder.exists()
    given = {**dict.fromkeys(NAMES, folder.resolve().name), **(kept or {}), **template.answers, **answers}

    def work() -> None:
        worker = copier.run_copy(
            str(template.source),
            folder,
            data=given,
            defaults=not (template.asks and sys.stdin.isatty()),
            quiet=True,
            unsafe=trust,
        )
        asked = [name for name in worker.template.questions_data if name not in template.answers]
        unknown = sorted(set(answers) - set(asked))
        if unknown:
            raise UsageError(
                f"template {template} does not ask for {', '.join(map(repr, unknown))}; it asks for: {', '.join(asked) or 'nothing'}"
            )

    try:
        return told(work, f"template {template} cannot be rendered")
    except BaseException:
        _clear(folder, keep=there)
        raise


def told(work: Callable[[], None], failed: str) -> list[str]:
    """Do what copier does; its warnings as sentences.

    Args:
        work: calls copier.
        failed: begins the sentence where it fails.

    Raises:
        UsageError: whatever copier, git, the template or its settings say against it.
    """
    from copier.errors import CopierError, UnsafeTemplateError
    from jinja2 import TemplateError
    from plumbum import ProcessExecutionError
    from yaml import YAMLError

    try:
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            work()
    except UsageError:
        raise
    except UnsafeTemplateError as error:
        features = str(error).splitlines()[0].partition(": ")[2].rstrip(".")
        raise UsageError(
            f"{failed}: it wants to run code of its own on this machine ({features}); read what it does, and add --trust if you trust it"
        ) from None
    except ProcessExecutionError as error:
        said = [line for line in str(error.stderr).splitlines() if line.startswith(("fatal:", "error:"))]
        raise UsageError(f"{failed}: git says {(said or [str(error.stderr).strip()])[0]!r}") from None
    except (CopierError, TemplateError, YAMLError, ValueError, TypeError, OSError) as error:
        raise UsageError(f"{failed}: {_sentence(error)}") from None
    return [_sentence(one.message) for one in heard if type(one.message).__module__.startswith("copier")]


def _sentence(error: Any) -> str:
    """What it says, on one line."""
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def _clear(folder: Path, *, keep: bool) -> None:
    """Take away what a failed rendering left; the folder itself stays where it was there before."""
    import shutil

    if not folder.is_dir():
        return
    for one in folder.iterdir():
        if one.is_dir() and not one.is_symlink():
            shutil.rmtree(one, ignore_errors=True)
        else:
            one.unlink()
    if not keep:
        folder.rmdir()
