"""Stores keep records. Nothing that was committed is lost, whatever crashes."""

from art_training.stores.fields import Field, FieldSummary, Operator, RunGroup, Where
from art_training.stores.sampling import Sampled
from art_training.stores.store import ArtifactStore, Course, Kept, Point, RunQuery, RunSummary, Store

__all__ = [
    "ArtifactStore",
    "Course",
    "Field",
    "FieldSummary",
    "Kept",
    "Operator",
    "Point",
    "RunGroup",
    "RunQuery",
    "RunSummary",
    "Sampled",
    "Store",
    "Where",
]
