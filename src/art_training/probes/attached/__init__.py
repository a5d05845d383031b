"""Probes that people attach to a run to see what happens inside: they look, and change nothing."""

from art_training.probes.attached.batches import Batches
from art_training.probes.attached.flow import Activations, Gradients, Updates
from art_training.probes.attached.named import NAMES, probe_of
from art_training.probes.attached.predictions import Predictions
from art_training.probes.attached.probe import SINKS, Left, Probe, Sink, Tell, Watch
from art_training.probes.attached.statistics import Statistics

__all__ = [
    "NAMES",
    "SINKS",
    "Activations",
    "Batches",
    "Gradients",
    "Left",
    "Predictions",
    "Probe",
    "Sink",
    "Statistics",
    "Tell",
    "Updates",
    "Watch",
    "probe_of",
]
