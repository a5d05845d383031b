"""trainproof: the log that a whole training leaves, its checks of the objective, and its checks of the data's rows.

A record is an epoch, or a twelfth of a training of fewer epochs, because checks want ten records, and fewer steps in
each look like divergence by noise: the mean loss, the largest gradient norm, the learning rate, and the validation loss.
"""

import json
from contextlib import suppress
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn
from trainproof.epoch import check_records
from trainproof.objective import check_objective
from trainproof.preflight import preflight

from benchmarks.faults.case import Project
from benchmarks.faults.others import Said
from benchmarks.faults.others.common import classes, for_forward, training_loader, watched

_SEVERITIES = {"FAIL": "error", "WARN": "warning", "INFO": "info"}
_RECORDS = 12
_ROWS = 5000


class Log(L.Callback):
    """What a training script would log, step by step."""

    def __init__(self) -> None:
        self.steps: list[dict[str, float]] = []
        self.norm = float("nan")
        self.epochs = 0

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        norms = [one.grad.norm() for one in pl_module.parameters() if one.grad is not None]
        self.norm = float(torch.stack(norms).norm()) if norms else 0.0

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        step = {"step": float(len(self.steps)), "grad_norm": self.norm}
        loss = outputs.get("loss") if isinstance(outputs, dict) else outputs
        if loss is None:  # manual optimisation: what the module logs as its loss
            loss = next(
                (one for name, one in trainer.callback_metrics.items() if "loss" in name and "val" not in name), None
            )
        if loss is not None:
            step["loss"] = float(loss)
        if trainer.optimizers:
            step["lr"] = float(trainer.optimizers[0].param_groups[0]["lr"])
        self.steps.append(step)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        self.epochs += 1

    def on_validation_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        names = [name for name in trainer.callback_metrics if "loss" in name and "val" in name]
        if self.steps and names:
            self.steps[-1]["eval_loss"] = float(trainer.callback_metrics[names[0]])


def records(steps: list[dict[str, float]], epochs: int) -> list[dict[str, float]]:
    """Steps gathered as a script that logs once an epoch, or a little more often, would."""
    every = max(1, len(steps) // max(_RECORDS, epochs))
    gathered: list[dict[str, float]] = []
    for start in range(0, len(steps), every):
        window = steps[start : start + every]
        record = dict(window[-1])
        if losses := [one["loss"] for one in window if "loss" in one]:
            record["loss"] = sum(losses) / len(losses)
        record["grad_norm"] = max(one["grad_norm"] for one in window)
        if evaluated := [one["eval_loss"] for one in window if "eval_loss" in one]:
            record["eval_loss"] = evaluated[-1]
        gathered.append(record)
    return gathered


def objective(project: Project, model: Any) -> list[dict[str, Any]]:
    """Are all classes among the targets, and is the ignored index none of them?"""
    targets: list[Tensor] = []
    number = 0
    for batch in training_loader(project):
        _, rest, _, output = for_forward(model, batch)
        if (found := classes(output, rest)) is None:
            return []
        targets.append(found[0].flatten())
        number = found[1]
    losses = [one for one in model.modules() if isinstance(one, nn.CrossEntropyLoss | nn.NLLLoss)]
    ignored = losses[0].ignore_index if losses else -100
    return check_objective(number, ignored, targets)


def rows(project: Project) -> list[dict[str, str]]:
    """Rows of the training data, each as the text of its numbers."""
    data = getattr(training_loader(project), "dataset", None)
    if data is None or not hasattr(data, "__len__"):
        return []
    return [{"text": json.dumps(plain(data[index]))} for index in range(min(len(data), _ROWS))]


def plain(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.tolist()
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, tuple | list) else repr(value)


def judge(project: Project, seed: int) -> Said:
    log = Log()
    model = watched(project, seed, log)
    findings = [*check_records(records(log.steps, log.epochs))["findings"], *preflight(rows(project)).findings]
    with suppress(ValueError):  # no forward of a batch to tell the classes by
        findings += objective(project, model)
    said = {(one["id"], _SEVERITIES[one["level"]]) for one in findings if one["level"] in _SEVERITIES}
    return sorted(said)
