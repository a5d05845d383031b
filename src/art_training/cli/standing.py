"""Where a project stands, for commands that tell it: its store, its name, and what is known of stale steps."""

import sys
from collections.abc import Collection, Generator
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, NamedTuple

from art_training.errors import ProjectError

if TYPE_CHECKING:
    from art_training.cli.locating import Place
    from art_training.project import ArtProject
    from art_training.records import Plan
    from art_training.stores import Store


class Standing(NamedTuple):
    """What a project's status is told from.

    Attributes:
        store: where its records are.
        project: its name.
        plan: what the next run would do; of a store alone what the last plan found, None where none is remembered.
        continuing: steps behind which the project goes on though they did not pass; None where that is not known.
        declared: the project of the file; None where the store answers alone.
    """

    store: "Store"
    project: str
    plan: "Plan | None"
    continuing: Collection[str] | None
    declared: "ArtProject | None" = None


@contextmanager
def standing(project: str | None, store: str | None, *, named: bool, recorded: bool = False) -> Generator[Standing]:
    """With the plan where there is a project file; a store alone knows of stale steps what the last plan found.

    A project file that cannot be imported, as on the machine of a colleague who lacks a package, is said on stderr, and the
    store answers alone.

    Args:
        project: a place, or a name in the store.
        store: what the user gave as `--store`.
        named: whether `project` may be a name in the store, as `--project` may.
        recorded: whether the project must have run; else what it declares is enough where no store was named.

    Raises:
        ProjectError: the project cannot be told, there is no such store, or none with records of it.
        StoreError: it cannot be opened.
    """
    from art_training.cli.history import history, plain_name, require_records, require_store
    from art_training.cli.locating import locate
    from art_training.stores.where import looking
    from art_training.views import planned_of

    name = plain_name(project) if named else ""
    place: Place | None = None
    try:
        place = locate(None if name else project)
    except ProjectError:
        if project is not None and not name and store is None:
            raise
    with looking():
        with redirect_stdout(sys.stderr):  # what the user's code prints is no result
            declared = _declared(place, store)
            mine = declared is not None and name in {"", declared.name}
            plan = declared.plan(lenient=True) if declared is not None and mine else None
        if declared is not None and mine:
            if store is not None:  # a name that was mistyped must not read as a project that never ran
                require_store(declared.store.location)
            if recorded:
                require_records(declared.store, declared.name)
            continuing = [step.name for step in declared.steps if step.continue_on_failure]
            yield Standing(declared.store, declared.name, plan, continuing, declared)
            return
    with history(project, store) as (opened, found):
        yield Standing(opened, found, planned_of(opened, found), None)


def _declared(place: "Place | None", store: str | None) -> "ArtProject | None":
    """The project of a file; None where there is none, or where its store can be told though it does not import.

    Raises:
        ProjectError: it does not import, and nothing but itself says where its records are.
    """
    from art_training.cli.glancing import glance
    from art_training.cli.loading import load_project

    if place is None:
        return None
    try:
        return load_project(place, store)
    except ProjectError as error:
        if store is None and not (place.file and glance(place.file, place.name)):
            raise
        sys.stderr.write(
            f"{error}\nThe store answers alone: what is stale is as it was when the project was planned last.\n"
        )
        return None
