"""Uses of the test split get a table of their own, so that they stay known when a run is removed."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TESTED = """
SELECT runs.id, runs.project, outcomes.body FROM runs LEFT JOIN outcomes ON outcomes.run = runs.id
WHERE runs.id IN (SELECT run FROM scores WHERE name GLOB 'test/*' OR name GLOB 'test:*')
  AND runs.kind <> 'ExploreData'  -- it counts test examples, and scores nothing on them
"""


def upgrade() -> None:
    """Create the table, and note the uses that there were."""
    uses = op.create_table(
        "uses",
        sa.Column("run", sa.Text(), primary_key=True),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("project", "model", "rows")),
        sqlite_with_rowid=False,
    )
    found = op.get_bind().exec_driver_sql(_TESTED).fetchall()
    op.bulk_insert(uses, [_use(*row) for row in found])


def _use(run: str, project: str, body: str | None) -> dict[str, str]:
    """What a step did not say, or what is damaged, counts as a model of its own, on rows that are not known."""
    try:
        said = json.loads(body or "{}")["parameters"]
        model, rows = (said.get(name) or "" for name in ("tested weights", "test rows"))
    except (ValueError, LookupError, TypeError, AttributeError):
        model = rows = ""
    return {"run": run, "project": project, "model": str(model or run), "rows": str(rows)}
