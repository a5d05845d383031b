"""What was found wrong, and how it was settled."""

from art_training.report.document import Cell, Section, Table, Text, table, told
from art_training.report.states import of_finding
from art_training.report.telling import when
from art_training.views import FindingRow
from art_training.views.account import Account
from art_training.views.visible import name as named

_SETTLED = {"gone": "no longer found", "ignored": "ignored", "declared": "declared as meant"}


def findings(account: Account) -> Section:
    """The findings that are open, those that nobody could judge again, and those that were settled."""
    by_state = {
        state: [row for row in account.findings if row.state == state] for state in ("open", "not judged", "settled")
    }
    none = Text("No step has found a fault.") if not account.findings else None
    settled = Text("No finding is open.") if account.findings and not by_state["open"] else None
    return Section(
        "Findings, and how they were settled",
        "findings",
        told(
            none,
            settled,
            _table(by_state["open"], "Open findings"),
            _table(by_state["not judged"], "Found before, and not judged since"),
            _table(by_state["settled"], "Settled findings"),
        ),
    )


def _table(rows: list[FindingRow], caption: str) -> Table | None:
    head = ("how bad", "code", "step", "what was found", "what to change", "settled", "seen")
    return table(head, [_row(row) for row in rows], caption)


def _row(row: FindingRow) -> tuple[str | Cell, ...]:
    mark = of_finding(row.severity)
    more = len(row.newest) - 1
    below = (
        row.newest[0].where,
        f"confirmed: {row.confirmed_by}" if row.confirmed_by else "",
        f"and at {more} more places" if more else "",
    )
    settled = "; ".join(filter(None, (_SETTLED.get(row.settled, ""), row.reason)))
    seen = (
        when(row.last_seen) if row.first_seen == row.last_seen else f"{when(row.first_seen)} to {when(row.last_seen)}"
    )
    return (
        Cell(mark.word, mark),
        row.code,
        named(row.step),
        Cell(row.message, below=tuple(filter(None, below))),
        row.remedy,
        settled,
        seen,
    )
