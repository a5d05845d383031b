"""Rules on schedulers that wait for a value to get better."""

import re
from collections.abc import Iterable

from art_training.probes.rates import Plateau, plateaus
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory, NotApplicable
from art_training.rules.metric_logged import direction_by_value
from art_training.rules.rule import Found, Stage, rule

_HIGHER = re.compile(
    r"(^|[^a-z])(acc|accuracy|top\d*|f1|f1_?score|auc|auroc|auprc|ap|map|precision|recall|iou|miou|dice|r2|psnr|ssim|bleu|"
    r"rouge|mcc|kappa|reward|return|corr|pearson|spearman)([^a-z]|$)",
    re.IGNORECASE,
)
_LOWER = re.compile(
    r"(^|[^a-z])(loss|nll|mse|rmse|mae|mape|error|err|perplexity|ppl|wer|cer|fid|bce|ce|kl|elbo)([^a-z]|$)",
    re.IGNORECASE,
)


@rule(
    "ART545",
    "ReduceLROnPlateau waits in the wrong direction",
    category="schedule",
    severity=Severity.ERROR,
    stage=Stage.EVALUATE,
    finds=(
        "The value that ReduceLROnPlateau waits for is better the higher, or the lower, and the mode is the other: by its name "
        "(accuracy, f1, auc; loss, error, perplexity), or, where that says nothing, by the metric of the predictions of a "
        "validation that it is to single precision. Confirmed by feeding it a value that gets better at every look, as "
        "often as the training has looks. Where its patience outlasts the training it is a warning."
    ),
    why="An accuracy that rises is no improvement to mode='min': the rate falls again and again while the model gets better.",
    wrong="ReduceLROnPlateau(optimizer), monitor='val_acc'",
    right="ReduceLROnPlateau(optimizer, mode='max'), monitor='val_acc'",
    source="https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ReduceLROnPlateau.html (mode)",
    asks=(plateaus,),
)
def wrong_direction(laboratory: Laboratory) -> Iterable[Found]:
    """A plateau that is none."""
    for one in _waiting(laboratory):
        higher = better_higher(one.monitor)
        if higher is None:
            by_value = direction_by_value(laboratory, one.monitor)
            higher = None if by_value is None else by_value == "max"
        if higher is None or higher == (one.mode == "max"):
            continue
        harms = one.rising < one.base if higher else one.other >= one.base
        right = "max" if higher else "min"
        yield Found(
            f"ReduceLROnPlateau(mode={one.mode!r}) waits for {one.monitor}, which is better the "
            f"{'higher' if higher else 'lower'}",
            {"monitor": one.monitor, "mode": one.mode, "base": one.base, "as_it_is": one.rising, "other": one.other},
            f"ReduceLROnPlateau(..., mode={right!r})",
            confirmed_by=_plateau_confirmed(one, higher) if harms else "",
            severity=None if harms else Severity.WARNING,
        )


@rule(
    "ART546",
    "ReduceLROnPlateau loses patience between two looks",
    category="schedule",
    severity=Severity.ERROR,
    stage=Stage.INSPECT,
    finds=(
        "ReduceLROnPlateau is stepped after every batch, its value is one of the validation, which stays the same until the "
        "next one, and there are more batches between two validations than its patience."
    ),
    why="The same value again is no improvement: the rate falls several times in every epoch, whatever the model learns.",
    wrong='{"scheduler": ReduceLROnPlateau(optimizer), "monitor": "val_loss", "interval": "step"}',
    right='{"scheduler": ReduceLROnPlateau(optimizer), "monitor": "val_loss", "interval": "epoch"}',
    source="https://lightning.ai/docs/pytorch/stable/common/lightning_module.html (configure_optimizers)",
)
def impatient(laboratory: Laboratory) -> Iterable[Found]:
    """A value that cannot get better so soon."""
    for one in _waiting(laboratory):
        validates = re.search(r"val|valid|dev|eval|test", one.monitor, re.IGNORECASE)
        if validates and one.between is not None and one.between > one.patience + 1:
            yield Found(
                f"ReduceLROnPlateau looks at {one.monitor} {one.between} times between two validations and bears "
                f"{one.patience} looks without a better value",
                {"between": one.between, "patience": one.patience, "monitor": one.monitor},
                "step it after every epoch: interval='epoch'",
            )


def _waiting(laboratory: Laboratory) -> tuple[Plateau, ...]:
    found = laboratory.ask(plateaus)
    if not found:
        raise NotApplicable("no ReduceLROnPlateau is used")
    return found


def better_higher(name: str) -> bool | None:
    """Whether a value is better the higher, by its name; None where the name does not say."""
    if _LOWER.search(name):
        return False
    return True if _HIGHER.search(name) else None


def _plateau_confirmed(one: Plateau, higher: bool) -> str:
    if not higher:
        return f"with a value that gets worse at every look the rate stays at {one.rising:.2g}"
    return (
        f"with a value that rises at every look the rate falls from {one.base:.2g} to {one.rising:.2g}; with mode='max' it "
        f"stays at {one.other:.2g}"
    )
