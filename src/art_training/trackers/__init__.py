"""Trackers: mirror what a project's steps do to where a team looks already. Importing this imports none of their libraries."""

from art_training.trackers.background import Background
from art_training.trackers.lightning_logger import LightningLoggerTracker
from art_training.trackers.mirror import Kept, Mirror
from art_training.trackers.mlflow import MlflowTracker
from art_training.trackers.neptune import NeptuneTracker
from art_training.trackers.tensorboard import TensorBoardTracker
from art_training.trackers.tracker import Table, TrackedPoint, TrackedRun, Tracker, Writer
from art_training.trackers.wandb import WandbTracker

__all__ = [
    "Background",
    "Kept",
    "LightningLoggerTracker",
    "Mirror",
    "MlflowTracker",
    "NeptuneTracker",
    "Table",
    "TensorBoardTracker",
    "TrackedPoint",
    "TrackedRun",
    "Tracker",
    "WandbTracker",
    "Writer",
]
