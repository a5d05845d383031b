"""Rows as files."""

import csv
import json
from collections.abc import Sequence
from typing import Any

from art_training.records import Artifact, Plain
from art_training.steps.bench import Bench


def keep_table(bench: Bench, rows: Sequence[dict[str, Plain]], name: str, note: str) -> Artifact:
    """Keep rows as a CSV file; values that are lists are written as JSON."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    path = bench.folder / name
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows({column: _cell(value) for column, value in row.items()} for row in rows)
    return bench.keep(path, name=name, kind="table", note=note)


def _cell(value: Plain) -> Any:
    return json.dumps(value) if isinstance(value, list | dict) else value
