"""What a run took before it was broken off stands beside its times, so that tables tell how long its result took in all."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, and fill it from the records that there are; a damaged one tells nothing."""
    op.add_column("runs", sa.Column("seconds_before", sa.Float(), nullable=False, server_default="0"))
    # NaN in a body is no JSON to SQLite, so that it only finds the records of runs that went on from another.
    held = 'SELECT run, body FROM records WHERE body NOT LIKE \'%"resumed":""%\''
    rows: list[dict[str, Any]] = []
    for run, body in op.get_bind().exec_driver_sql(held):
        try:
            rows.append({"run": run, "seconds": float(json.loads(body)["seconds_before"])})
        except (ValueError, LookupError, TypeError):
            continue
    if rows:
        op.get_bind().execute(sa.text("UPDATE runs SET seconds_before = :seconds WHERE id = :run"), rows)
