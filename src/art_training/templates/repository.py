"""A git repository for a new project, with a first commit."""

import subprocess
from pathlib import Path

_NOBODY = ("-c", "user.name=art new", "-c", "user.email=art-new@localhost")


def begin_repository(folder: Path, message: str) -> str:
    """Put a project under version control; a sentence that says what was done, and why where it was less.

    Inside another repository nothing is done: what belongs there is its owner's to say. Whatever git cannot do costs the
    project nothing.

    Args:
        folder: of the project.
        message: of the first commit.
    """
    try:
        inside = _git(folder, "rev-parse", "--show-toplevel")
        if inside.returncode == 0:
            return f"It lies in the git repository {inside.stdout.strip()}, where nothing was committed."
        named = all(_git(folder, "config", f"user.{what}").stdout.strip() for what in ("name", "email"))
        identity = () if named else _NOBODY
        for command in (("init", "--quiet", "--initial-branch=main"), ("add", "--all")):
            made = _git(folder, *command)
            if made.returncode:
                return f"There is no git repository: {_said(made)}."
        committed = _git(folder, *identity, "commit", "--quiet", "--message", message)
    except FileNotFoundError:
        return "There is no git repository: git is not installed."
    if committed.returncode:
        return f"It is a git repository without a commit: {_said(committed)}."
    nobody = "" if named else " by nobody, for git knows no user.name and user.email; `git config --global` sets them"
    return f"It is a git repository with a first commit{nobody}."


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["git", *arguments], cwd=folder, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )


def _said(done: subprocess.CompletedProcess[str]) -> str:
    lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    return f"git says {lines[-1]!r}" if lines else f"git ended with {done.returncode}"
