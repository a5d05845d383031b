"""The pages, one a file; each draws rows of views and nothing else."""

from art_training.dashboard import artifacts
from art_training.dashboard.pages import compare, data, findings, home, lost, project, rule, rules, run, step, tune
from art_training.dashboard.parts.frame import Desk
from art_training.dashboard.pulse import Pulse
from art_training.dashboard.source import Source


def register(source: Source, pulse: Pulse) -> None:
    """Make the pages known.

    Args:
        source: the store.
        pulse: tells that it has changed.
    """
    desk = Desk(source, pulse)
    lost.register()
    for page in (compare, data, findings, home, project, rule, rules, run, step, tune):
        page.register(desk)
    artifacts.register(desk)
