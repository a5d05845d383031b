"""Records as text and back. The text is JSON; nothing is ever pickled.

What is not plain data is written as its marked repr (`records.plain`), so a reader always gets plain data back: lists
where a tuple stood in a free field, text as keys. NaN and the infinities are kept.
"""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

from art_training.errors import StoreError
from art_training.records import Fingerprint, Plain, Provenance, RunRecord, RunStatus, StepState, plain
from art_training.stores.reading import Unreadable, decode

# The parts of a run that are large and seldom change from run to run; stores may keep equal ones once.
PARTS = ("fingerprint", "parameters", "versions", "hardware", "git_diff")


def dumps(value: object) -> str:
    """Plain data as one line of ASCII, so that any text survives any encoding."""
    return json.dumps(plain(value), separators=(",", ":"))


def loads(text: str) -> Any:
    """What `dumps` wrote.

    Raises:
        Unreadable: it is not JSON.
    """
    try:
        return json.loads(text)
    except ValueError as error:
        raise Unreadable(f"not JSON: {error}") from None


def encode(record: object, what: str) -> str:
    """A record as text that is known to be readable again.

    Args:
        record: of a class that `decode` knows.
        what: how to call it in an error, e.g. `the outcome of step 'Overfit'`.

    Raises:
        StoreError: a field holds something of the wrong type, so that the text could be written but never read.
    """
    text = dumps(record)
    try:
        decode(type(record), loads(text))
    except Unreadable as error:
        raise StoreError(
            f"{what} cannot be kept: {error}; give the field a value of its type where the record is made"
        ) from None
    return text


def split_run(run: RunRecord) -> tuple[dict[str, Plain], dict[str, str]]:
    """A run's record in two: what is small, as plain data, and each of `PARTS` as text."""
    provenance = cast("dict[str, Plain]", plain(run.provenance))
    parts: dict[str, str] = {
        "fingerprint": dumps(run.fingerprint),
        "parameters": dumps(run.parameters),
        **{name: dumps(provenance.pop(name)) for name in ("versions", "hardware", "git_diff")},
    }
    small: dict[str, Plain] = {
        "seed": run.seed,
        "consumes": plain(run.consumes),
        "provenance": provenance,
        "error": run.error,
        "traceback": run.traceback,
        "resumed": run.resumed,
        "seconds_before": run.seconds_before,
    }
    return small, parts


def join_run(small: dict[str, Any], parts: dict[str, str]) -> dict[str, Any]:
    """The arguments of `RunRecord` that `split_run` took apart.

    Raises:
        Unreadable: something in them is damaged.
    """
    fingerprint = loads(parts["fingerprint"])
    free = {name: loads(parts[name]) for name in ("versions", "hardware", "git_diff")}
    try:
        return {
            **small,
            "fingerprint": Fingerprint(fingerprint["components"], tuple(fingerprint["unknown"])),
            "parameters": loads(parts["parameters"]),
            "provenance": decode(Provenance, {**small["provenance"], **free}),
        }
    except (KeyError, TypeError) as error:
        raise Unreadable(f"a field is missing or of another kind: {error}") from None


def copied(run: RunRecord, state: StepState) -> RunRecord:
    """The run as every store gives it back: plain data only, times in UTC."""
    small, parts = split_run(run)
    times: dict[str, Any] = {name: _utc(getattr(run, name)) for name in ("started", "ended", "heartbeat")}
    return replace(run, **times, **join_run(cast("dict[str, Any]", small), parts), state=state)


def state_without_judgement(status: RunStatus) -> StepState:
    """Where a step stands whose run was not judged."""
    return {
        RunStatus.RUNNING: StepState.RUNNING,
        RunStatus.COMPLETED: StepState.NOT_JUDGED,
        RunStatus.ERRORED: StepState.ERRORED,
        RunStatus.INTERRUPTED: StepState.INTERRUPTED,
        RunStatus.KILLED: StepState.INTERRUPTED,
    }[status]


def time_text(at: datetime) -> str:
    """A time as text of fixed width that sorts as the times do.

    Raises:
        StoreError: it has no time zone.
    """
    if at.tzinfo is None:
        raise StoreError(f"the time {at.isoformat()} has no time zone; stores keep UTC: use datetime.now(UTC)")
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def time_of(text: str) -> datetime:
    """What `time_text` wrote.

    Raises:
        Unreadable: it is not a time.
    """
    try:
        return datetime.fromisoformat(text)
    except (ValueError, TypeError):
        raise Unreadable(f"{text!r} is not a time") from None


def storable(text: str) -> str:
    """Text that UTF-8 can say: half a character, as in a broken file name, becomes its escape."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def digest(text: str) -> str:
    """SHA-256 of a text, in hexadecimal."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _utc(at: datetime | None) -> datetime | None:
    return None if at is None else time_of(time_text(at))
