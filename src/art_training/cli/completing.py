"""What a shell offers while one types. Whatever goes wrong, it offers nothing, and never writes into the line."""

from collections.abc import Callable, Iterable

from art_training.records.probes import PROBES

Complete = Callable[[str], list[str]]


def _offering(names: Callable[[], Iterable[str]]) -> Complete:
    """What of these begins as what is typed."""

    def complete(incomplete: str) -> list[str]:
        try:
            return sorted(name for name in names() if name.startswith(incomplete))
        except Exception:  # noqa: BLE001  A broken project or store is told when the command runs.
            return []

    return complete


@_offering
def complete_pages() -> Iterable[str]:
    """Pages of the documentation."""
    from art_training.cli.pages import pages

    return pages()


@_offering
def complete_tutorials() -> Iterable[str]:
    """Tutorials."""
    from art_training.cli.tutorials import tutorials

    return tutorials()


@_offering
def complete_steps() -> Iterable[str]:
    """Steps of the project in this folder that have run."""
    from art_training.cli.history import history

    with history(None, None) as (store, project):
        return list(store.latest(project))


@_offering
def complete_codes() -> Iterable[str]:
    """Codes of rules."""
    from art_training.views.rulebook import rules_known

    return [one.code for one in rules_known()]


def complete_probes(incomplete: str) -> list[str]:
    """Probes, also behind the name of a step."""
    step, colon, name = incomplete.partition(":")
    return [f"{step}{colon}{one}" if colon else one for one in PROBES if one.startswith(name if colon else incomplete)]


def complete_extensions(group: str) -> Complete:
    """Names of what is installed in a group of entry points, such as `trackers`."""

    @_offering
    def complete() -> Iterable[str]:
        from art_training.plugins import offered

        return offered(group)

    return complete
