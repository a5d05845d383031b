"""Engines turn a job into a result. Lightning is the first; the contract admits others."""

from art_training.engines.engine import (
    Engine,
    EvaluateJob,
    EvaluateResult,
    FitJob,
    FitResult,
    Position,
    Stopped,
    Watch,
)

__all__ = ["Engine", "EvaluateJob", "EvaluateResult", "FitJob", "FitResult", "Position", "Stopped", "Watch"]
