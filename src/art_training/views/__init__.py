"""Questions about history, answered as plain rows. The command line, the dashboard and the report only draw them."""

from art_training.views.artifacts import ArtifactRow, artifact_of, artifacts_of
from art_training.views.compared import ComparedView, compared_of
from art_training.views.comparing import Difference, ScoreChange, Side, difference
from art_training.views.deciding import Deciding
from art_training.views.explored import ExploredView, explored_of
from art_training.views.finding import find_run, run_before, run_of
from art_training.views.findings import FindingRow, findings_of
from art_training.views.health import HealthView, health_of
from art_training.views.history import LogView, ProjectRow, best_first, known_projects, log_of, runs_of
from art_training.views.life import is_alive, standing
from art_training.views.limits import Limit
from art_training.views.planned import plan_trouble, planned_of
from art_training.views.points import PointsRow, points_of
from art_training.views.progress import Progress, progress_of
from art_training.views.rows import CheckRow, CurveRow, RunRow, ScoreRow
from art_training.views.rulebook import RuleRow, rule_of, rules_known
from art_training.views.scatter import ScatterView, parallel_of, scatter_of
from art_training.views.search import SearchView, search_of
from art_training.views.showing import RunView, view_of
from art_training.views.status import ProjectStatus, StepStatus, status_of
from art_training.views.table import TableQuery, TableView, table_of
from art_training.views.timeline import Timeline, TimelineStep, timeline_of

__all__ = [
    "ArtifactRow",
    "CheckRow",
    "ComparedView",
    "CurveRow",
    "Deciding",
    "Difference",
    "ExploredView",
    "FindingRow",
    "HealthView",
    "Limit",
    "LogView",
    "PointsRow",
    "Progress",
    "ProjectRow",
    "ProjectStatus",
    "RuleRow",
    "RunRow",
    "RunView",
    "ScatterView",
    "ScoreChange",
    "ScoreRow",
    "SearchView",
    "Side",
    "StepStatus",
    "TableQuery",
    "TableView",
    "Timeline",
    "TimelineStep",
    "artifact_of",
    "artifacts_of",
    "best_first",
    "compared_of",
    "difference",
    "explored_of",
    "find_run",
    "findings_of",
    "health_of",
    "is_alive",
    "known_projects",
    "log_of",
    "parallel_of",
    "plan_trouble",
    "planned_of",
    "points_of",
    "progress_of",
    "rule_of",
    "rules_known",
    "run_before",
    "run_of",
    "runs_of",
    "scatter_of",
    "search_of",
    "standing",
    "status_of",
    "table_of",
    "timeline_of",
    "view_of",
]
