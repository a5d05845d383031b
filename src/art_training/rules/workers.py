"""Rules on what the processes of a loader have in common, and should not."""

from art_training.probes.workers import draws, sharing
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory, NotApplicable
from art_training.rules.rule import Found, Stage, rule

_REPEATED = 0.1


@rule(
    "ART133",
    "every worker gives all rows",
    category="data",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "The stream that training reads gives as many times its rows as the loader has workers: read to its end by one worker "
        "and by all; or, where it is too long for that, the first batches of two workers hold the same rows, or a tenth of what "
        "the workers give was given before, while one worker repeats no row."
    ),
    why="Each worker process has a copy of the dataset. An epoch is several epochs then, whose rows come in groups of equal ones.",
    wrong="def __iter__(self): yield from self.rows  # with num_workers=2",
    right="info = get_worker_info(); yield from islice(self.rows, info.id, None, info.num_workers)",
    source="https://github.com/pytorch/pytorch/issues/30599",
)
def rows_by_worker(laboratory: Laboratory) -> Found | None:
    """A stream once for each worker."""
    found = laboratory.ask(sharing)
    if found is None:
        raise NotApplicable("no training stream is read by several workers")
    times = found.several / found.one
    read = min(found.one, found.several)
    repeated = found.again > _REPEATED * read
    whole = found.whole and found.several == found.workers * found.one
    if not whole and not (not found.whole and (found.same or repeated)):
        return None
    return Found(
        f"with {found.workers} workers the training stream gives {found.several} rows, and with one {found.one}"
        if found.whole
        else f"the first batches of two of the {found.workers} workers hold the same rows"
        if found.same
        else f"of the first {read} rows that {found.workers} workers give, {found.again} were given before",
        {
            "workers": found.workers,
            "one": found.one,
            "several": found.several,
            "times": times if found.whole else None,
            "again": found.again,
        },
        "let __iter__ take its part only: torch.utils.data.get_worker_info() tells id and num_workers",
        where="train_dataloader",
        confirmed_by=f"read by one worker it gives {found.one} rows"
        if found.whole
        else "the batches of one worker are different"
        if found.same
        else f"one worker gives {found.one} rows, of which none comes twice",
    )


@rule(
    "ART134",
    "workers or epochs draw the same augmentation",
    category="data",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "A dataset that gives a row in several forms gives the same forms in two workers, or again in the next epoch, when each "
        "begins with new processes. One row is asked for again and again, of two workers and twice over. Confirmed where the "
        "forms differ once each worker seeds the generators that the dataset holds."
    ),
    why=(
        "A generator that the dataset holds is copied into each worker process as it was: all draw the same numbers, and in each "
        "epoch the same ones again. Augmentation is a fraction of what it seems."
    ),
    wrong="self.rng = np.random.default_rng(0)  # in __init__ of a dataset",
    right="rng = np.random.default_rng(torch.initial_seed() % 2**32)  # in the worker, e.g. in worker_init_fn",
    source="https://github.com/pytorch/pytorch/issues/5059",
)
def cloned_randomness(laboratory: Laboratory) -> Found | None:
    """Randomness that is copied into every worker."""
    found = laboratory.ask(draws)
    if found is None:
        raise NotApplicable("no workers read the training rows")
    if not found.random:
        return None
    again = found.repeated and not found.persistent
    if not (found.cloned or again):
        return None
    what = " and ".join(text for text, true in (("in two workers", found.cloned), ("in the next epoch", again)) if true)
    return Found(
        f"the random forms of a training row are the same {what}; the dataset holds {found.held} random generators",
        {"cloned": found.cloned, "repeated": found.repeated, "held": found.held},
        "seed the generator in each worker, with worker_init_fn and torch.initial_seed(), or draw from torch's own",
        where="train_dataloader",
        confirmed_by="with generators that each worker seeds by itself the forms differ" if found.mended else "",
        severity=None if found.mended or not found.held else Severity.WARNING,
    )
