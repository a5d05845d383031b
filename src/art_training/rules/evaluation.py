"""Rules on evaluation: whether it happens, of which rows, and which way what is monitored is better."""

import re
from collections.abc import Iterable
from typing import Any

from art_training.probes.misnamed import misnamed
from art_training.probes.rows import Rows
from art_training.probes.serving import Serving, plan, servings
from art_training.probes.specimen import Specimen
from art_training.probes.validations import Validations
from art_training.records import Severity, Split
from art_training.rules.laboratory import Laboratory, NotApplicable, NotMeasured, lacking, require_validation
from art_training.rules.metric_logged import direction_by_value
from art_training.rules.rule import Found, Stage, rule

_HIGHER = {
    "acc", "accuracy", "auc", "auroc", "rocauc", "prauc", "auprc", "f1", "f1score", "fscore", "precision", "recall", "iou",
    "miou", "jaccard", "dice", "r2", "map", "ap", "psnr", "ssim", "bleu", "rouge", "meteor", "mcc", "kappa", "ndcg", "mrr",
    "top1", "top5", "acc1", "acc5", "sensitivity", "specificity", "spearman", "pearson", "reward", "return",
}  # fmt: skip
_LOWER = {
    "loss", "error", "err", "mse", "mae", "rmse", "mape", "nll", "bce", "ce", "xent", "crossentropy", "perplexity", "ppl",
    "wer", "cer", "fid", "logloss", "brier", "ece", "rmsle",
}  # fmt: skip
_MANY_ROWS = 1_000
# Names with these are combinations, or turned round.
_UNCLEAR = {"neg", "negative", "minus", "inv", "inverse", "gap", "diff", "ratio", "rate", "time", "one"}


@rule(
    "ART720",
    "a callback waits in the wrong direction",
    category="evaluation",
    severity=Severity.ERROR,
    stage=Stage.EVALUATE,
    finds=(
        "A callback that chooses or stops by a value (`monitor`, `mode`) looks for the smallest of what is better when it is "
        "larger, or the other way round, as its name says: accuracy, AUC, F1, IoU and their kind; loss, error, MSE and theirs. "
        "Where a name says neither, or both, it is the metric of the predictions of a validation that the value is to single "
        "precision; where it is none, it is not judged. Confirmed where the validation of the short training that it would "
        "choose has the higher loss."
    ),
    why=(
        "EarlyStopping, whose mode is 'min' unless told otherwise, ends a training that is getting better, and ModelCheckpoint "
        "keeps the worst weights."
    ),
    wrong="EarlyStopping('val_acc')",
    right="EarlyStopping('val_acc', mode='max')",
    source="https://lightning.ai/docs/pytorch/stable/api/lightning.pytorch.callbacks.EarlyStopping.html (mode)",
    watches=(Validations,),
    asks=(plan,),
)
def wrong_direction(laboratory: Laboratory) -> Iterable[Found]:
    """A mode that does not fit its monitor."""
    waiting = [one for one in laboratory.ask(plan).callbacks if _monitor(one)]
    if not waiting:
        raise NotApplicable("no callback waits for a value")
    watched = _watched(laboratory)
    for callback in waiting:
        monitor, mode = _monitor(callback), getattr(callback, "mode", None)
        better = (direction_of(monitor) or direction_by_value(laboratory, monitor)) if monitor else None
        if better is None or mode not in {"min", "max"} or mode == better:
            continue
        word = "larger" if better == "max" else "smaller"
        yield Found(
            f"{type(callback).__name__} waits for the {'smallest' if mode == 'min' else 'largest'} {monitor}, which is better "
            f"when it is {word}",
            {"monitor": str(monitor), "mode": str(mode), "better": better},
            f"give {type(callback).__name__}(monitor={monitor!r}, mode={better!r})",
            where=f"{type(callback).__name__}(monitor={monitor!r})",
            confirmed_by=_course(watched, str(monitor), better) if watched is not None else "",
        )


@rule(
    "ART721",
    "a callback waits for what is never logged",
    category="evaluation",
    severity=Severity.WARNING,
    stage=Stage.TRAIN,
    finds="A callback monitors a name that nothing had logged after an epoch of the short training with its validation.",
    why="It never stops and never chooses: what is kept is whatever came last.",
    wrong="EarlyStopping('val_loss', strict=False)  # the module logs 'valid_loss'",
    right="EarlyStopping('valid_loss')",
    source="https://lightning.ai/docs/pytorch/stable/api/lightning.pytorch.callbacks.EarlyStopping.html (strict)",
    watches=(Validations,),
    asks=(plan,),
)
def never_logged(laboratory: Laboratory) -> Iterable[Found]:
    """A monitor without a value."""
    waiting = [(one, name) for one in laboratory.ask(plan).callbacks if (name := _monitor(one))]
    if not waiting:
        raise NotApplicable("no callback waits for a value")
    watched = laboratory.get(Validations)
    if not watched.epochs:
        raise NotMeasured("the short training did not come to the end of an epoch")
    every = laboratory.ask(plan).validates_every
    if watched.epochs < every:
        raise NotMeasured(f"the short training did not come to a validation, which is every {every} epochs")
    for callback, monitor in waiting:
        if monitor in watched.names or not watched.names:
            continue
        yield Found(
            f"{type(callback).__name__} waits for {monitor!r}, and after {watched.epochs} epochs nothing has logged it",
            {"monitor": monitor, "logged": sorted(watched.names)[:20], "epochs": watched.epochs},
            f"monitor one of what is logged: {', '.join(sorted(watched.names)[:8])}",
            where=f"{type(callback).__name__}(monitor={monitor!r})",
            confirmed_by=f"{len(watched.names)} names were logged in {watched.epochs} epochs, and {monitor!r} is none of them",
        )


@rule(
    "ART722",
    "validation never runs",
    category="evaluation",
    severity=Severity.ERROR,
    stage=Stage.INSPECT,
    finds=(
        "There is a validation split and a step for it, and the trainer's settings run no batch of it: limit_val_batches=0, "
        "check_val_every_n_epoch above max_epochs, or a first validation (val_check_interval, or the end of an epoch) after the last "
        "batch that max_epochs and max_steps let it train on. A warning where the step, or what gives the loader, has a name that nobody "
        "calls and that is nearly the one that is called."
    ),
    why="Nothing tells when the model overfits; callbacks that wait for a validation value do nothing.",
    wrong="Trainer(max_epochs=5, check_val_every_n_epoch=10)",
    right="Trainer(max_epochs=5)",
    source="https://lightning.ai/docs/pytorch/stable/common/trainer.html (limit_val_batches, check_val_every_n_epoch)",
)
def never_validated(laboratory: Laboratory) -> Found | None:
    """Validation data that nobody looks at."""
    known = laboratory.ask(plan)
    if (slip := laboratory.ask(misnamed)) is not None:
        return Found(
            f"{slip.owner} defines {slip.written}, which nobody calls, and no {slip.meant}",
            {"written": slip.written, "meant": slip.meant},
            f"call it {slip.meant}",
            where=f"{slip.owner}.{slip.written}",
            severity=Severity.WARNING,
        )
    if Split.VALIDATION not in laboratory.get(Rows).splits:
        raise lacking(laboratory.get(Rows), "there is no validation split")
    if known.epochs is not None and known.validates_every > known.epochs and known.validations != 0:
        return Found(
            f"validation runs every {known.validates_every} epochs of a training of {known.epochs}: never",
            {"every": known.validates_every, "epochs": known.epochs},
            f"set check_val_every_n_epoch to at most {known.epochs}",
            confirmed_by=f"{known.epochs // known.validates_every} validations fit into {known.epochs} epochs",
        )
    last = laboratory.ask(_last_batch)
    if (
        last is not None
        and known.first_validation is not None
        and known.first_validation > last
        and known.validations != 0
    ):
        return Found(
            f"the first validation comes after {known.first_validation} batches, and training ends after {last}",
            {"first": known.first_validation, "batches": last, "epochs": known.epochs, "steps": known.steps},
            f"validate at least every {last} batches (val_check_interval, check_val_every_n_epoch), or train for longer (max_steps, "
            "max_epochs)",
            confirmed_by=(
                f"the trainer that had begun to train counted {known.batches} batches an epoch, {last} in all, and "
                f"{known.first_validation} to its first validation"
            ),
        )
    if known.validations == 0 and laboratory.ask(_validates):
        return Found(
            "there is a validation split, and the trainer runs 0 batches of it",
            {"batches": 0, "rows": len(laboratory.get(Rows).splits[Split.VALIDATION])},
            "remove limit_val_batches=0",
            confirmed_by="the trainer that had begun to train counted 0 batches a validation",
        )
    return None


@rule(
    "ART725",
    "a limit leaves most of validation out",
    category="evaluation",
    severity=Severity.WARNING,
    stage=Stage.INSPECT,
    finds=(
        "The trainer evaluates half of the validation batches or fewer, and these hold fewer than 1,000 rows: a share of these has a "
        "standard error of up to 1.6 points and more. Validation that is cut to a large sample on purpose is no finding."
    ),
    why="Which of two models is better is decided by chance, and a limit from debugging is easily forgotten.",
    wrong="Trainer(limit_val_batches=2)",
    right="Trainer()",
    source="https://karpathy.github.io/2019/04/25/recipe/ (add significant digits to your eval)",
)
def mostly_left_out(laboratory: Laboratory) -> Found | None:
    """A limit that was meant for debugging."""
    known, whole = laboratory.ask(plan), laboratory.ask(_validation_batches)
    require_validation(laboratory)
    if whole is None or known.validations is None:
        raise NotMeasured("how many batches the validation has is not known")
    batches, rows = whole
    share = known.validations / batches
    seen = round(rows * share)
    if not known.validations or share > 0.5 or seen >= _MANY_ROWS:
        return None
    return Found(
        f"{known.validations} of {batches} validation batches are evaluated, about {seen} of {rows} rows",
        {"batches": known.validations, "of": batches, "rows": seen, "all": rows},
        "remove limit_val_batches, or evaluate at least 1,000 rows",
        confirmed_by=(
            f"the trainer that had begun to train counted {known.validations} batches a validation, and the loader has {batches}: a "
            f"share of {seen} rows has a standard error of up to {50 / seen**0.5:.1f} points, and of all {rows} of {50 / rows**0.5:.1f}"
        ),
    )


def _validation_batches(specimen: Specimen) -> tuple[int, int] | None:
    """Batches and rows that the loaders of validation have; None where one does not say."""
    batches = rows = 0
    for loader in specimen.loaders.get(Split.VALIDATION, {}).values():
        try:
            batches += len(loader)
            rows += len(loader.dataset)
        except (TypeError, AttributeError, NotImplementedError):
            return None
    return (batches, rows) if batches and rows else None


@rule(
    "ART723",
    "rows are left out of evaluation",
    category="evaluation",
    severity=Severity.WARNING,
    stage=Stage.INSPECT,
    finds=(
        "A loader of validation or test has drop_last=True and its rows do not fill the last batch, or its sampler ends where the "
        "last full batch does. Counted by its samplers, and confirmed by counting again with drop_last=False."
    ),
    why="The rows of the last batch are never evaluated, and which they are depends on the batch size.",
    wrong="DataLoader(test, batch_size=64, drop_last=True)",
    right="DataLoader(test, batch_size=64)",
    source="https://github.com/thuml/Autoformer/issues/104",
)
def left_out(laboratory: Laboratory) -> Iterable[Found]:
    """A last batch that is dropped."""
    for one in _served(laboratory):
        place = one.split.value if one.loader is None else f"{one.split.value}:{one.loader}"
        if one.drops_last and one.served < one.kept:
            yield Found(
                f"{place}: {one.kept - one.served} of {one.kept} rows are never evaluated, because the last batch is dropped",
                {"served": one.served, "rows": one.kept, "left out": one.kept - one.served},
                "set drop_last=False for validation and test",
                where=f"the loader of {place}",
                confirmed_by=f"with drop_last=False it serves {one.kept} rows, and as it is {one.served}",
            )
        elif one.cut:
            yield Found(
                f"{place}: {one.cut} of {one.rows} rows are never evaluated: the sampler ends where the last full batch of "
                f"{one.size} does",
                {"served": one.served, "rows": one.rows, "left out": one.cut, "batch": one.size},
                "let the sampler of validation and test draw all rows",
                where=f"the loader of {place}",
                confirmed_by=f"its sampler drew {one.offered} different rows, {one.offered // one.size} whole batches, of {one.rows}",
            )


@rule(
    "ART724",
    "rows are evaluated more than once",
    category="evaluation",
    severity=Severity.WARNING,
    stage=Stage.INSPECT,
    finds="The sampler of a validation or test loader draws some row more than once in a pass. Counted by its samplers.",
    why="Rows that come twice count twice, and others are missing: the number is that of another data set.",
    wrong="DataLoader(validation, sampler=WeightedRandomSampler(weights, len(weights)))",
    right="DataLoader(validation)",
    source="https://github.com/pytorch/examples/issues/1063",
)
def more_than_once(laboratory: Laboratory) -> Iterable[Found]:
    """A sampler that pads or draws with replacement."""
    for one in _served(laboratory):
        if one.repeated:
            place = one.split.value if one.loader is None else f"{one.split.value}:{one.loader}"
            yield Found(
                f"{place}: {one.repeated} of {one.served} rows of a pass were served before in the same pass",
                {"repeated": one.repeated, "served": one.served, "rows": one.rows},
                "evaluate each row once: leave sampler= out, or use one that draws without replacement",
                where=f"the loader of {place}",
                confirmed_by=f"its sampler drew {one.served - one.repeated} different rows of {one.rows} in {one.served}",
            )


def direction_of(name: str) -> str | None:
    """`max` or `min` for a name that says which way is better; None for one that says neither or both."""
    split = re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
    words = {one for one in re.split(r"[^a-z0-9]+", split) if one}
    if words & _UNCLEAR or split.startswith("-"):
        return None
    higher, lower = bool(words & _HIGHER), bool(words & _LOWER)
    return None if higher == lower else "max" if higher else "min"


def _served(laboratory: Laboratory) -> tuple[Serving, ...]:
    found = laboratory.ask(servings)
    if not found:
        raise NotApplicable("no loader of validation or test has a sampler that can be asked")
    return found


def _monitor(callback: Any) -> str | None:
    monitor = getattr(callback, "monitor", None)
    return monitor if isinstance(monitor, str) and monitor else None


def _watched(laboratory: Laboratory) -> Validations | None:
    try:
        return laboratory.get(Validations)
    except NotMeasured:
        return None


def _course(watched: Validations, monitor: str, better: str) -> str:
    """Which validation the callback chooses and which is better, in words; empty where they were all alike."""
    seen = [one.logged for one in watched.seen if monitor in one.logged]
    if len(seen) < 2:
        return ""
    lowest, highest = (choose(seen, key=lambda one: one[monitor]) for choose in (min, max))
    chosen, best = (lowest, highest) if better == "max" else (highest, lowest)
    losses = [name for name in best if name in chosen and direction_of(name) == "min" and best[name] < chosen[name]]
    if chosen[monitor] == best[monitor] or not losses:
        return ""
    name = losses[0]
    if name == monitor:
        return f"of {len(seen)} validations it chooses the one with {monitor} = {chosen[name]:.4g}, and another has {best[name]:.4g}"
    return (
        f"of {len(seen)} validations it chooses the one with {monitor} = {chosen[monitor]:.4g} and {name} = {chosen[name]:.4g}, "
        f"and another has {monitor} = {best[monitor]:.4g} and {name} = {best[name]:.4g}"
    )


def _last_batch(specimen: Specimen) -> int | None:
    """Batches of the whole training; None where they are not known, or the step does not need them for anything."""
    known = specimen.plan
    if not _validates(specimen):
        return None
    by_epochs = None if known.epochs is None or known.batches is None else known.epochs * known.batches
    by_steps = known.steps * known.accumulate if known.steps is not None and specimen.automatic else None
    # Steps are counted to the end of training: what accumulates over the end of an epoch steps early, and so takes fewer batches.
    return min((one for one in (by_epochs, by_steps) if one is not None), default=None)


def _validates(specimen: Any) -> bool:
    """Whether the model says what a validation is; one that does not may well have none."""
    step = getattr(type(specimen.module), "validation_step", None)
    bases = [base for base in type(specimen.module).__mro__ if "validation_step" in vars(base)]
    return step is not None and bool(bases) and not bases[0].__module__.startswith(("lightning.", "pytorch_lightning."))
