"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table("about", _key("name"), _text("value"), sqlite_with_rowid=False)
    op.create_table(
        "runs",
        _key("id"),
        *map(_text, ("project", "step", "kind", "status", "state", "started")),
        sa.Column("ended", sa.Text()),
        sa.Column("heartbeat", sa.Text()),
        _text("process"),
        _text("fingerprint"),
        sqlite_with_rowid=False,
    )
    op.create_index("runs_by_step", "runs", ["project", "step", "started", "id"])
    op.create_index("runs_by_start", "runs", ["project", "started", "id"])
    op.create_index("runs_by_fingerprint", "runs", ["fingerprint"])
    op.create_table(
        "records",
        _key("run"),
        *map(_text, ("body", "fingerprint", "parameters", "versions", "hardware", "git_diff")),
    )
    op.create_table("parts", _key("digest"), _text("body"))
    op.create_table("outcomes", _key("run"), _text("body"))
    op.create_table("judgements", _key("run"), _number_key("number"), _text("state"), _text("body"))
    op.create_table("scores", _key("run"), _key("name"), sa.Column("value", sa.Float()), sqlite_with_rowid=False)
    op.create_table(
        "artifacts",
        _key("run"),
        _key("name"),
        _text("kind"),
        _text("digest"),
        sa.Column("bytes", sa.Integer(), nullable=False),
        _text("note"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "points",
        _key("run"),
        _key("name"),
        _number_key("step"),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("value", sa.Float()),
        sqlite_with_rowid=False,
    )
    op.create_table("lines", _key("run"), _number_key("number"), _text("text"), sqlite_with_rowid=False)
    op.create_table("memos", _key("name"), _text("value"), _text("written"), sqlite_with_rowid=False)


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), primary_key=True)


def _number_key(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), primary_key=True, autoincrement=False)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)
