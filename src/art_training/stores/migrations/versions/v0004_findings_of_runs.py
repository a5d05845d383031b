"""Findings get a table of their own, so that those of a whole project are read without its outcomes."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, and fill it from the outcomes that there are; a damaged one gives none."""
    table = op.create_table(
        "findings",
        sa.Column("run", sa.Text(), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("body", sa.Text(), nullable=False),
        sqlite_with_rowid=False,
    )
    # NaN in a body is no JSON to SQLite, so that it only finds the outcomes that hold any.
    held = "SELECT run, body FROM outcomes WHERE body LIKE '%\"findings\":[{%'"
    rows: list[dict[str, Any]] = []
    for run, body in op.get_bind().exec_driver_sql(held):
        try:
            findings = json.loads(body)["findings"]
        except (ValueError, LookupError, TypeError):
            continue
        texts = [json.dumps(one, separators=(",", ":")) for one in findings]
        rows += [{"run": run, "number": number, "body": text} for number, text in enumerate(texts)]
    op.bulk_insert(table, rows)
