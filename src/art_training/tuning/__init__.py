"""Searching for hyper-parameters: spaces in plain Python, trials as records, and the samplers that propose them.

Only this package knows which library proposes; `space` and `trial` need neither that nor torch.
"""

from art_training.tuning import space as space
from art_training.tuning.space import Point, Space
from art_training.tuning.trial import Trial, TrialState

__all__ = ["Point", "Space", "Trial", "TrialState", "space"]
