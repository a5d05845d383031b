"""The tables of a store in a database. A change here comes with a migration; a test compares the two.

Runs are listed by the thousand, so their table is narrow; what is long stands in `records`, and what repeats from run
to run (installed versions, hardware, uncommitted changes, parameters, fingerprints) stands once in `parts`. A number
that is NaN is NULL, because SQLite keeps no NaN.
"""

from sqlalchemy import Column, Float, Index, Integer, MetaData, Table, Text

# Revisions of the schema, oldest first; each is a migration of that name.
REVISIONS = ("0001", "0002", "0003", "0004", "0005")
REVISION = REVISIONS[-1]

# In the file's header, so that tools such as `file` tell an ART store from another database: "ART2".
APPLICATION_ID = 0x41525432

metadata = MetaData()

about = Table(
    "about",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
    sqlite_with_rowid=False,
)
runs = Table(
    "runs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("project", Text, nullable=False),
    Column("step", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("started", Text, nullable=False),
    Column("ended", Text),
    Column("heartbeat", Text),
    Column("process", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("seconds_before", Float, nullable=False, server_default="0"),
    Index("runs_by_step", "project", "step", "started", "id"),
    Index("runs_by_start", "project", "started", "id"),
    Index("runs_by_fingerprint", "fingerprint"),
    sqlite_with_rowid=False,
)
records = Table(
    "records",
    metadata,
    Column("run", Text, primary_key=True),
    Column("body", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("parameters", Text, nullable=False),
    Column("versions", Text, nullable=False),
    Column("hardware", Text, nullable=False),
    Column("git_diff", Text, nullable=False),
)
parts = Table(
    "parts",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("body", Text, nullable=False),
)
outcomes = Table(
    "outcomes",
    metadata,
    Column("run", Text, primary_key=True),
    Column("body", Text, nullable=False),
)
judgements = Table(
    "judgements",
    metadata,
    Column("run", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("state", Text, nullable=False),
    Column("body", Text, nullable=False),
)
scores = Table(
    "scores",
    metadata,
    Column("run", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("value", Float),
    sqlite_with_rowid=False,
)
# As a table shows them. Sorted by name and then by run, so that all values of one parameter lie together.
parameters = Table(
    "parameters",
    metadata,
    Column("project", Text, primary_key=True),
    Column("step", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("run", Text, primary_key=True),
    Column("number", Float),
    Column("is_text", Integer, nullable=False),
    Column("text", Text, nullable=False),
    sqlite_with_rowid=False,
)
artifacts = Table(
    "artifacts",
    metadata,
    Column("run", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("bytes", Integer, nullable=False),
    Column("note", Text, nullable=False),
    sqlite_with_rowid=False,
)
findings = Table(
    "findings",
    metadata,
    Column("run", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("body", Text, nullable=False),
    sqlite_with_rowid=False,
)
points = Table(
    "points",
    metadata,
    Column("run", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("step", Integer, primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("value", Float),
    sqlite_with_rowid=False,
)
lines = Table(
    "lines",
    metadata,
    Column("run", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("text", Text, nullable=False),
    sqlite_with_rowid=False,
)
uses = Table(
    "uses",
    metadata,
    Column("run", Text, primary_key=True),
    Column("project", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("rows", Text, nullable=False),
    sqlite_with_rowid=False,
)
memos = Table(
    "memos",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
    Column("written", Text, nullable=False),
    sqlite_with_rowid=False,
)

# Everything that goes with a run; `parts` are shared, and `uses` of the test split outlive it.
OF_A_RUN = (records, outcomes, judgements, scores, artifacts, findings, points, lines)
