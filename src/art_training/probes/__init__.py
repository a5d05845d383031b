"""What measures: experiments on a model with a few batches, and monitors that watch a training. torch only."""

from art_training.probes.evaluation import Evaluation
from art_training.probes.monitor import Moment, Monitor
from art_training.probes.rows import Enough, RowReader, Rows, SplitRows
from art_training.probes.specimen import Plan, Schedule, Specimen

__all__ = [
    "Enough",
    "Evaluation",
    "Moment",
    "Monitor",
    "Plan",
    "RowReader",
    "Rows",
    "Schedule",
    "Specimen",
    "SplitRows",
]
