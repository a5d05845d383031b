"""Neptune, offline: what it wrote is read from its queue on disk, a JSON object an operation.

There is no public reader of it: `neptune sync` sends it to a server.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from art_training.testing.trackers import Seen, TrackerContract
from art_training.trackers import NeptuneTracker

pytestmark = pytest.mark.slow  # importing the library takes seconds


class TestNeptune(TrackerContract):
    @pytest.fixture(autouse=True)
    def _in_the_folder(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(folder)  # where Neptune writes

    def tracker(self, folder: Path) -> NeptuneTracker:
        return NeptuneTracker()

    def read(self, folder: Path) -> Mapping[str, Seen]:
        seen: dict[str, Seen] = {}
        told: dict[str, dict[str, Any]] = {}
        for run in sorted((folder / ".neptune" / "offline").iterdir(), key=lambda path: path.stat().st_mtime_ns):
            fields = read_fields(run)
            step = fields["sys/name"]
            told[step] = {**told.get(step, {}), **fields}  # one run, known by its custom id, written in two goes
        for step, fields in told.items():

            def part(begin: str, fields: dict[str, Any] = fields) -> dict[str, Any]:
                return {name.removeprefix(begin): value for name, value in fields.items() if name.startswith(begin)}

            tags = {f"art.{name}": value for name, value in part("art/").items()}
            seen[step] = Seen(
                parameters=part("parameters/"),
                metrics={name: float(value) for name, value in part("metrics/").items()},
                curves=part("curves/"),
                verdicts=fields["tables/verdicts"],
                findings=fields.get("tables/findings", ""),
                state=tags["art.state"],
                tags=tags,
                files=list(part("files/")),
                pictures=len(part("figures/")),
            )
        return seen


def read_fields(run: Path) -> dict[str, Any]:
    """The fields of a run as the operations leave them; of a file, its text."""
    fields: dict[str, Any] = {}
    decoder, text = json.JSONDecoder(), "".join(path.read_text() for path in sorted(run.glob("data-*.log")))
    at = 0
    while at < len(text):
        told, at = decoder.raw_decode(text, at)
        at = re.compile(r"\s*").match(text, at).end()
        operation, path = told["obj"], "/".join(told["obj"]["path"])
        match operation["type"]:
            case "LogFloats":
                fields.setdefault(path, []).extend((int(one["step"]), one["value"]) for one in operation["values"])
            case "UploadFile":
                fields[path] = (run / "upload_path" / operation["tmp_file_name"]).read_bytes().decode(errors="replace")
            case _:
                fields[path] = operation.get("value")
    return fields
