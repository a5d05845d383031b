"""Parameters get a table of their own, so that runs are sorted and filtered by them where they lie."""

import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_RUNS = """
SELECT runs.project, runs.step, runs.id, records.parameters FROM runs JOIN records ON records.run = runs.id
"""
_PAGE = 500


def upgrade() -> None:
    """Create the table, and fill it from the records that there are."""
    table = op.create_table(
        "parameters",
        *(sa.Column(name, sa.Text(), primary_key=True) for name in ("project", "step", "name", "run")),
        sa.Column("number", sa.Float()),
        sa.Column("is_text", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sqlite_with_rowid=False,
    )
    connection = op.get_bind()
    runs = connection.exec_driver_sql(_RUNS).fetchall()
    for start in range(0, len(runs), _PAGE):
        rows: list[dict[str, Any]] = []
        for project, step, run, digest in runs[start : start + _PAGE]:
            body = connection.exec_driver_sql("SELECT body FROM parts WHERE digest = ?", (digest,)).scalar()
            rows += _rows({"project": project, "step": step, "run": run}, body)
        op.bulk_insert(table, rows)


def _rows(run: Mapping[str, str], body: str | None) -> list[dict[str, Any]]:
    """Of a record that is damaged, none: the run is told to be so by whoever reads it."""
    from art_training.stores.codec import storable
    from art_training.stores.fields import cell
    from art_training.stores.told import stored_cell

    try:
        parameters = json.loads(body or "")
    except ValueError:
        return []
    if not isinstance(parameters, dict):
        return []
    names = ("number", "is_text", "text")
    return [
        {**run, "name": storable(name), **dict(zip(names, stored_cell(cell(value)), strict=True))}
        for name, value in parameters.items()
    ]
