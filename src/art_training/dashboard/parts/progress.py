"""How far a running step is."""

from art_training.dashboard.parts.html import h
from art_training.views import Progress
from art_training.views.wording import duration


def draw_progress(progress: Progress) -> None:
    """A bar, where a share is known, and a line."""
    if progress.fraction is not None:
        percent = f"{100 * min(max(progress.fraction, 0.0), 1.0):.0f}"
        label = f"{progress.phase or 'the step'}: how far it is"
        with h("div", "", "bar", role="progressbar", aria_label=label, aria_valuenow=percent) as bar:
            h("div", style=f"width: {percent}%")
        bar.props["aria-valuemin"], bar.props["aria-valuemax"] = "0", "100"
    told = [progress.phase, _epoch(progress), f"{duration(progress.seconds)} so far", _left(progress)]
    h("p", ", ".join(filter(None, told)), "small soft")


def _epoch(progress: Progress) -> str:
    if progress.epoch is None:
        return ""
    if not progress.epochs or progress.epochs < 0:  # a training without end is told as -1
        return f"epoch {progress.epoch + 1}"
    return f"epoch {min(progress.epoch + 1, progress.epochs)} of {progress.epochs}"


def _left(progress: Progress) -> str:
    """Of the step, where it was completed before; else of what it does now, by the pace that this has."""
    if progress.seconds_left is not None:
        return f"about {duration(progress.seconds_left)} left"
    if progress.phase_seconds_left is not None:
        return f"about {duration(progress.phase_seconds_left)} left" + (
            f" of {progress.phase}" if progress.phase else ""
        )
    return ""
