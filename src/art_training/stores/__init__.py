"""Stores keep records. Nothing that was committed is lost, whatever crashes."""

from art_training.stores.store import ArtifactStore, Course, Kept, Point, RunQuery, RunSummary, Store

__all__ = ["ArtifactStore", "Course", "Kept", "Point", "RunQuery", "RunSummary", "Store"]
