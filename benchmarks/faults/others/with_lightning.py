"""Lightning itself: every warning and the exception of a fit of two epochs and a validation after it, with anomaly detection."""

import logging
import re
import warnings
from typing import Any

from benchmarks.faults.case import Project
from benchmarks.faults.others import Said
from benchmarks.faults.others.common import Ends, watched

# Advice on speed and notices of what was asked for; no word on correctness. Of old interfaces neither.
_NO_FAULT = ("does not have many workers", "The number of training batches", "Anomaly Detection has been enabled")
_LOGGERS = ("lightning.pytorch", "lightning.fabric", "pytorch_lightning")


class Kept(logging.Handler):
    """Keeps log records of warnings and errors."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.kept: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.kept.append(record.getMessage())


def kind(text: str) -> str:
    """A message without what differs between two runs: names in quotes, numbers, paths."""
    text = re.sub(r"'[^']*'|\"[^\"]*\"|/\S+", "*", text.split("\n", 1)[0])
    return re.sub(r"\d[\d.e+-]*", "#", text)[:160]


def validated(model: Any, trainer: Any) -> None:
    """Validate after the fit, where there is something to validate on."""
    if trainer.val_dataloaders is not None:
        source = {"datamodule": trainer.datamodule} if trainer.datamodule else {"dataloaders": trainer.val_dataloaders}
        trainer.validate(model, verbose=False, **source)


def judge(project: Project, seed: int) -> Said:
    said: Said = []
    kept = Kept()
    for name in _LOGGERS:
        logging.getLogger(name).addHandler(kept)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            watched(project, seed, Ends(), then=validated, detect_anomaly=True)
        except Exception as error:  # noqa: BLE001 - what Lightning or the project raises is what its user sees
            said.append((f"{type(error).__name__}: {kind(str(error))}", "error"))
    texts = [str(one.message) for one in caught if not issubclass(one.category, DeprecationWarning | FutureWarning)]
    wanted = {kind(one) for one in [*texts, *kept.kept] if not any(notice in one for notice in _NO_FAULT)}
    return [*said, *((one, "warning") for one in sorted(wanted))]
