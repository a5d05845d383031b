"""Which code the runs were made with, and whether this report holds enough of it to make them again."""

from dataclasses import dataclass
from functools import cached_property

from art_training.records import Provenance, RunRecord
from art_training.report.document import Block, Code, Points, Text, table

_UNTRACKED = "untracked files:\n"
_CUT = "the rest is left out]"
_OURS = (".art/", "art-report")  # what ART itself writes into a project's folder
_MOST = 12


@dataclass(frozen=True)
class Kept:
    """What the record of a run holds of its code.

    Attributes:
        origin: of the run.
    """

    origin: Provenance

    @property
    def commit(self) -> str:
        """The commit that was checked out; empty where there was none."""
        return self.origin.git_commit

    @cached_property
    def patch(self) -> str:
        """What `git apply` takes; empty where nothing that git follows was changed."""
        return (
            "" if self.origin.git_diff.startswith(_UNTRACKED) else self.origin.git_diff.partition(f"\n{_UNTRACKED}")[0]
        )

    @cached_property
    def untracked(self) -> tuple[str, ...]:
        """Files and folders that git did not follow, by name, without those that ART writes."""
        names = self.origin.git_diff.rpartition(_UNTRACKED)[2] if _UNTRACKED in self.origin.git_diff else ""
        found = (line.strip() for line in names.splitlines() if line.startswith("  "))
        return tuple(
            name for name in found if not name.rpartition("/")[2].startswith(_OURS[1]) and not name.endswith(_OURS[0])
        )

    @property
    def missing(self) -> str:
        """What code is not told by commit and patch, as the beginning of a sentence; empty where all of it is."""
        if not self.commit and not self.origin.git_diff:
            return "the code lay in no git repository"
        code = [name for name in self.untracked if name.endswith((".py", "/"))]
        if code:
            more = f" and {len(code) - _MOST} more" if len(code) > _MOST else ""
            return f"git did not follow {', '.join(code[:_MOST])}{more}"
        if _CUT in self.patch[-200:]:
            return "the uncommitted changes were too long to be kept whole"
        if not self.commit:
            return "the git repository had no commit"
        return "uncommitted changes were not kept" if self.origin.git_dirty and not self.patch else ""


def lacking(runs: list[RunRecord]) -> Text | None:
    """That this report is not enough to make the runs again, where it is not."""
    why = list(dict.fromkeys(missing for run in runs if (missing := Kept(run.provenance).missing)))
    if not why:
        return None
    return Text(
        f"This report alone does not make it again: {'; '.join(why)}, and the text of that code is not part of the records. Keep the code "
        "beside this report; where it is committed before a run, the commit is named here.",
        "warning",
    )


def code(runs: list[RunRecord]) -> list[Block]:
    """Commits, uncommitted changes, and what git did not follow."""
    last = Kept(runs[-1].provenance)
    blocks: list[Block] = [Text(f"{_commit(last)} What the result depends on is kept by digest, too.")]
    if len({run.provenance.git_commit for run in runs}) > 1:
        rows = [
            (run.step, run.provenance.git_commit or "none", "yes" if run.provenance.git_dirty else "no") for run in runs
        ]
        drawn = table(("step", "commit", "uncommitted changes"), rows, "The steps were run at different commits")
        blocks += [drawn] if drawn else []
    blocks += [Code(patch, f"Uncommitted changes{of}; secrets are masked", "diff") for patch, of in _patches(runs)]
    untracked = tuple(dict.fromkeys(name for run in runs for name in Kept(run.provenance).untracked))
    if untracked:
        more = (f"and {len(untracked) - _MOST} more",) if len(untracked) > _MOST else ()
        blocks += [Text("Files that git did not follow; their text is not kept:"), Points((*untracked[:_MOST], *more))]
    return blocks


def _commit(last: Kept) -> str:
    if not last.commit and not last.origin.git_diff:
        return "The code lay in no git repository, so that no commit names it."
    if not last.commit:
        return "The code lay in a git repository without a commit, so that none names it."
    if last.patch:
        return f"Commit {last.commit}, with uncommitted changes, which follow."
    return f"Commit {last.commit}, {'with uncommitted changes that were not kept' if last.origin.git_dirty else 'without uncommitted changes'}."


def _patches(runs: list[RunRecord]) -> list[tuple[str, str]]:
    """Each different patch once, with the steps that ran with it."""
    found: dict[str, list[str]] = {}
    for run in runs:
        if patch := Kept(run.provenance).patch:
            found.setdefault(patch, []).append(run.step)
    return [(patch, f" at {', '.join(steps)}" if len(found) > 1 else "") for patch, steps in found.items()]
