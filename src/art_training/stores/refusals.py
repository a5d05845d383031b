"""Errors that every store raises in the same words."""

from art_training.errors import StoreError


def no_run(run: str, location: str) -> StoreError:
    """The error for a run that the store does not have."""
    return StoreError(f"no run {run!r} in the store {location}; `art status` lists the runs that there are")


def already_judged(run: str) -> StoreError:
    """The error for an outcome that would replace one that verdicts speak of."""
    return StoreError(
        f"the outcome of run {run!r} was judged and stays as it is, because its verdicts speak of it; "
        "write the new outcome as a new run"
    )


def damaged(what: str, run: str, why: str) -> StoreError:
    """The error for a part of one run that cannot be read any more."""
    return StoreError(
        f"the {what} of run {run!r} cannot be read: {why}; the other runs are not concerned: "
        f"remove this one with `art rm {run}`, or restore the store from a copy"
    )
