"""Questions about history, answered as plain rows. The command line, the dashboard and the report only draw them."""

from art_training.views.comparing import Difference, ScoreChange, Side, difference
from art_training.views.finding import find_run, run_before
from art_training.views.history import LogView, ProjectRow, best_first, known_projects, log_of, runs_of
from art_training.views.life import is_alive, standing
from art_training.views.rows import CheckRow, CurveRow, RunRow, ScoreRow
from art_training.views.showing import RunView, view_of
from art_training.views.status import ProjectStatus, StepStatus, status_of

__all__ = [
    "CheckRow",
    "CurveRow",
    "Difference",
    "LogView",
    "ProjectRow",
    "ProjectStatus",
    "RunRow",
    "RunView",
    "ScoreChange",
    "ScoreRow",
    "Side",
    "StepStatus",
    "best_first",
    "difference",
    "find_run",
    "is_alive",
    "known_projects",
    "log_of",
    "run_before",
    "runs_of",
    "standing",
    "status_of",
    "view_of",
]
