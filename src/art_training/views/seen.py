"""Runs as views read them, and what of them need not be read again by who asks once a second."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from art_training.records import Judgement, Outcome, RunRecord, RunStatus
from art_training.stores import Store

_MOST = 500


class Kept(NamedTuple):
    """A run with what it left; its outcome without curves, which may be long. All None where there is no such run."""

    record: RunRecord | None = None
    outcome: Outcome | None = None
    judgement: Judgement | None = None


class _Ended(NamedTuple):
    judged: datetime
    record: RunRecord
    outcome: Outcome | None


class Seen:
    """Runs of one store that were completed and judged: neither they nor their outcomes change any more.

    Whoever asks a view again and again keeps one and hands it over each time; new judgements, and runs that were removed,
    are noticed all the same. May be used by several threads.
    """

    def __init__(self) -> None:
        self._ended: dict[str, _Ended] = {}

    def read(self, store: Store, run: str) -> Kept:
        """A run with what it left."""
        judgements = store.judgements(run)
        known = self._ended.get(run)
        if known is not None and judgements and judgements[0].at == known.judged:
            return Kept(replace(known.record, state=judgements[-1].state), known.outcome, judgements[-1])
        return self._read(store, run, judgements)

    def _read(self, store: Store, run: str, judgements: Sequence[Judgement]) -> Kept:
        self._ended.pop(run, None)
        record = store.run(run)
        if record is None:
            return Kept()
        outcome = store.outcome(run)
        outcome = None if outcome is None else replace(outcome, curves={})
        if judgements and record.status is RunStatus.COMPLETED:
            if len(self._ended) >= _MOST:
                self._ended.clear()
            self._ended[run] = _Ended(judgements[0].at, record, outcome)
        return Kept(record, outcome, judgements[-1] if judgements else None)
