"""torch-audit: its zero-touch auditor over two epochs, every step, every validator, whole batches audited too."""

from typing import Any

import lightning as L
from torch_audit import audit
from torch_audit.runtime import Auditor, autopatch

from benchmarks.faults.case import Project
from benchmarks.faults.others import Said
from benchmarks.faults.others.common import Ends, watched

# Hints on speed, as Lightning's are left out too; no word on correctness.
_SPEED = {"TA200", "TA201", "TA203"}
_SEVERITIES = {"INFO": "info", "WARN": "warning", "ERROR": "error", "FATAL": "error"}


class Audit(L.Callback):
    """The callback of its Lightning example: patches the model's forward and the optimiser's step."""

    def __init__(self) -> None:
        self.auditor: Auditor | None = None
        self.results: list[Any] = []

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        first, *others = trainer.optimizers or [None]
        self.results = [audit(pl_module, phase="init", optimizer=one) for one in others]
        self.auditor = autopatch(pl_module, optimizer=first, every_n_steps=1, suppress_internal_errors=True)

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        assert self.auditor is not None
        self.auditor.audit_data(batch)

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        assert self.auditor is not None
        self.results.append(self.auditor.finish())
        self.auditor.unpatch()


def judge(project: Project, seed: int) -> Said:
    callback = Audit()
    watched(project, seed, Ends(), callback)
    findings = {
        (one.rule_id, _SEVERITIES[one.severity.value]) for result in callback.results for one in result.findings
    }
    return sorted(one for one in findings if one[0] not in _SPEED)
