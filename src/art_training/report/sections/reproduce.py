"""How to make it again: commands, versions, seeds, code and data."""

import shlex
from collections.abc import Iterable

from art_training.records import Provenance, RunRecord
from art_training.report.document import Block, Code, Section, Table, Text, table, told
from art_training.report.sections.code import Kept, code, lacking
from art_training.views.account import Account
from art_training.views.readable import readable
from art_training.views.wording import size

_FIRST = (
    "art-training",
    "torch",
    "lightning",
    "pytorch-lightning",
    "torchmetrics",
    "numpy",
    "scikit-learn",
    "scipy",
    "optuna",
)


def reproduce(account: Account) -> Section | None:
    """What the runs on which the steps stand were made with; where they differ, that is said."""
    runs = [one.view.record for one in account.steps if one.view is not None and not one.status.waits_for]
    if not runs:
        return None
    last = runs[-1]
    parts = (
        Section("Commands", "commands", _commands(runs, account)),
        Section("Code", "code", tuple(code(runs))),
        Section("Seeds, fingerprints and data", "seeds", tuple(_seeds(runs))),
        Section("Versions and machine", "versions", told(_machine(runs), _differing(runs), _versions(last.provenance))),
    )
    return Section("How to reproduce it", "reproduce", (), parts)


def _commands(runs: list[RunRecord], account: Account) -> tuple[Block, ...]:
    origin = runs[-1].provenance
    ran = list(dict.fromkeys(shlex.join(run.provenance.command) for run in runs if run.provenance.command))
    folders = ", ".join(dict.fromkeys(run.provenance.folder for run in runs if run.provenance.folder))
    versions = [f"{name}=={origin.versions[name].partition('+')[0]}" for name in _FIRST if name in origin.versions]
    again = [
        *([f"git checkout {shlex.quote(origin.git_commit)}"] if origin.git_commit else []),
        *(
            ["git apply uncommitted.patch   # the uncommitted changes below, saved under this name"]
            if Kept(origin).patch
            else []
        ),
        *([f"python -m pip install {shlex.join(versions)}"] if versions else []),
        f"art run{f' --force-step {shlex.quote(account.steps[0].status.step)}' if account.only else ''}",
    ]
    where = f"What was typed, in {folders}" if folders else "What was typed"
    typed = Code("\n".join(ran), where, "sh") if ran else None
    lacks = lacking(runs)
    with_what = ", with its code at hand" if lacks else ""
    return told(typed, lacks, Code("\n".join(again), f"To make it again{with_what}", "sh"))


def _seeds(runs: list[RunRecord]) -> list[Block]:
    """The seed and the fingerprint of each step, and each digest of data once with the steps that saw it."""
    seeds = [(run.step, str(run.seed), run.fingerprint.digest) for run in runs]
    project = {seed for run in runs if (seed := run.provenance.seeds.get("project")) is not None}
    follows = f"; seeds follow from the project's seed, {', '.join(map(str, sorted(project)))}" if project else ""
    caption = f"What each result depends on, as one digest{follows}"
    seen: dict[tuple[str, str], list[str]] = {}
    for run in runs:
        seen.setdefault((run.provenance.data_digest or "not told", run.provenance.data_note), []).append(run.step)
    digests = [(", ".join(steps), digest, note) for (digest, note), steps in seen.items()]
    return [
        *told(table(("step", "seed", "fingerprint"), seeds, caption, numbers=(1,))),
        *told(table(("steps", "digest of the data", "what it looked at"), digests, "Data that the steps saw")),
    ]


def _machine(runs: list[RunRecord]) -> Table | None:
    origins = [run.provenance for run in runs]
    rows = {
        "host": _distinct(one.host for one in origins),
        "Python": _distinct(one.python for one in origins),
        "system": _distinct(str(one.hardware.get("system", "")) for one in origins),
        "processors": _distinct(_processors(one) for one in origins),
        "memory": _distinct(
            size(one.hardware["memory_bytes"]) if one.hardware.get("memory_bytes") else "" for one in origins
        ),
        "accelerators": _distinct(readable(one.hardware.get("accelerators", "")) for one in origins) or "none",
    }
    return table(("", ""), [(name, text) for name, text in rows.items() if text], "The machine")


def _processors(one: Provenance) -> str:
    return (
        f"{one.hardware.get('processors', '')} x {one.hardware.get('processor', '')}"
        if one.hardware.get("processors")
        else ""
    )


def _distinct(texts: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(text for text in texts if text))


def _differing(runs: list[RunRecord]) -> Text | None:
    """Whether all steps ran with the same installed versions."""
    last = runs[-1].provenance.versions
    others = [run.step for run in runs if run.provenance.versions != last]
    if not others:
        return None
    return Text(
        f"Not all steps ran with the versions below, which are those of {runs[-1].step}: {', '.join(others)} had others; `art diff` says which.",
        "warning",
    )


def _versions(origin: Provenance) -> Code | None:
    """Every installed distribution, those that matter most first, as pip reads it."""
    first = [name for name in _FIRST if name in origin.versions]
    rest = sorted(name for name in origin.versions if name not in first)
    lines = [f"{name}=={origin.versions[name]}" for name in (*first, *rest)]
    caption = f"All {len(lines)} installed distributions"
    return Code("\n".join(lines), caption, "requirements", folded=True) if lines else None
