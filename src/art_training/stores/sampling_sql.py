"""Curves to draw out of a database, sampled where they lie: a million points are neither read nor kept in memory."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from art_training.records import Curve
from art_training.stores.sampling import Sampled, as_curve, require_room, stretches

_FIRST, _LAST = -(2**63), 2**63 - 1  # that SQLite knows

# Each name is looked for behind the one before: `SELECT DISTINCT` would visit every point.
_NAMES = """
    WITH RECURSIVE found(name) AS (
        SELECT min(name) FROM points WHERE run = :run
        UNION ALL
        SELECT (SELECT min(name) FROM points WHERE run = :run AND name > found.name)
        FROM found WHERE found.name IS NOT NULL
    )
    SELECT name FROM found WHERE name IS NOT NULL
"""
_EXTENT = """
    SELECT count(*), count(value), min(step), max(step) FROM points
    WHERE run = :run AND name = :name AND step BETWEEN :first AND :last
"""
_ALL = """
    SELECT step, epoch, value FROM points
    WHERE run = :run AND name = :name AND step BETWEEN :first AND :last ORDER BY step
"""
# NaN is NULL, which is neither the lowest nor the highest. A column beside min() or max() is of the row that has it:
# https://sqlite.org/lang_select.html#bareagg
_STANDING_OUT = """
    WITH stretches(low, high) AS (
        SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(:stretches)
    ),
    kept(step) AS (
        SELECT (
            SELECT min(step) FROM points WHERE run = :run AND name = :name AND step >= low AND step < high
        ) FROM stretches
        UNION SELECT (
            SELECT max(step) FROM points WHERE run = :run AND name = :name AND step >= low AND step < high
        ) FROM stretches
        UNION SELECT (SELECT step FROM (
            SELECT step, min(value) FROM points
            WHERE run = :run AND name = :name AND step >= low AND step < high AND value IS NOT NULL
        )) FROM stretches
        UNION SELECT (SELECT step FROM (
            SELECT step, max(value) FROM points
            WHERE run = :run AND name = :name AND step >= low AND step < high AND value IS NOT NULL
        )) FROM stretches
        UNION SELECT (
            SELECT min(step) FROM points
            WHERE run = :run AND name = :name AND step >= low AND step < high AND value IS NULL
        ) FROM stretches WHERE :gaps
    )
    SELECT step, epoch, value FROM kept CROSS JOIN points USING (step)
    WHERE run = :run AND name = :name ORDER BY step
"""


def sampled_of(
    connection: Connection,
    run: str,
    names: Sequence[str] | None = None,
    *,
    limit: int,
    first: int | None = None,
    last: int | None = None,
) -> Mapping[str, Sampled]:
    """Curves by name with at most so many points each, as `stores.sampling.sampled` keeps them.

    Raises:
        UsageError: `limit` is too small for one stretch.
    """
    require_room(limit)
    if names is None:
        names = [name for (name,) in connection.exec_driver_sql(_NAMES, {"run": run})]
    within = {"first": _FIRST if first is None else first, "last": _LAST if last is None else last}
    found: dict[str, Sampled] = {}
    for name in sorted(set(names)):
        asked: dict[str, Any] = {"run": run, "name": name, **within}
        points, numbers, begin, end = connection.exec_driver_sql(_EXTENT, asked).one()
        if points > limit:
            gaps = numbers < points
            parts = json.dumps(stretches(begin, end, limit, gaps=gaps))
            kept = connection.exec_driver_sql(_STANDING_OUT, {**asked, "stretches": parts, "gaps": gaps}).all()
            found[name] = Sampled(_curve(kept), points)
        elif points:
            found[name] = Sampled(_curve(connection.exec_driver_sql(_ALL, asked).all()), points)
    return found


def _curve(rows: Sequence[Any]) -> Curve:
    return as_curve([(step, epoch, math.nan if value is None else value) for step, epoch, value in rows])
