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
    epoch = f"epoch {progress.epoch + 1}" if progress.epoch is not None else ""
    told = [
        progress.phase,
        f"{epoch} of {progress.epochs}" if epoch and progress.epochs else epoch,
        f"{duration(progress.seconds)} so far",
        f"about {duration(progress.seconds_left)} left" if progress.seconds_left is not None else "",
    ]
    h("p", ", ".join(filter(None, told)), "small soft")
