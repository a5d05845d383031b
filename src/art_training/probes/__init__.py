"""What measures: experiments on a model with a few batches, and monitors that watch a training. torch only."""

from art_training.probes.attached import Activations, Batches, Gradients, Predictions, Probe, Statistics, Updates
from art_training.probes.evaluation import Evaluation
from art_training.probes.monitor import Moment, Monitor
from art_training.probes.rows import Enough, RowReader, Rows, SplitRows
from art_training.probes.specimen import Plan, Schedule, Specimen

__all__ = [
    "Activations",
    "Batches",
    "Enough",
    "Evaluation",
    "Gradients",
    "Moment",
    "Monitor",
    "Plan",
    "Predictions",
    "Probe",
    "RowReader",
    "Rows",
    "Schedule",
    "Specimen",
    "SplitRows",
    "Statistics",
    "Updates",
]
