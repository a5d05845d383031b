"""How numbers, times and sizes are told to a person, alike on the command line, in the dashboard and in the report."""

from datetime import datetime

from art_training.checks.values import number
from art_training.views.rows import ScoreRow


def score_text(row: ScoreRow) -> str:
    """A score with its interval: `0.9722 [0.9496, 0.9847]`."""
    if row.low is None or row.high is None:
        return number(row.value)
    return f"{number(row.value)} [{number(row.low)}, {number(row.high)}]"


def duration(seconds: float | None) -> str:
    """A time as a person says it: `0.4 s`, `31 s`, `2 min 5 s`, `3 h 12 min`."""
    if seconds is None:
        return ""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def size(count: float) -> str:
    """A number of bytes as a person reads it."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def when(moment: datetime | None) -> str:
    """A time in the reader's time zone."""
    return "" if moment is None else f"{moment.astimezone():%Y-%m-%d %H:%M}"


def shortened(text: str, width: int) -> str:
    """A text that fits a line of so many characters; cut between clauses or words, where one ends in its second half."""
    if len(text) <= width:
        return text
    head = text[: max(0, width - 3)]
    for end in ("; ", ", ", " "):
        at = head.rfind(end)
        if at >= width // 2:
            return f"{head[:at]}{'' if end == ' ' else end[0]}..."
    return f"{head.rstrip()}..."
