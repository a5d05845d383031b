"""The recipe, one step a file."""

from art_training.steps.bench import Bench
from art_training.steps.check_loss_on_init import CheckLossOnInit
from art_training.steps.diagnose import Diagnose
from art_training.steps.evaluate_baseline import EvaluateBaseline
from art_training.steps.explore_data import ExploreData
from art_training.steps.final_test import FinalTest
from art_training.steps.overfit import Overfit
from art_training.steps.overfit_one_batch import OverfitOneBatch
from art_training.steps.regularize import Regularize
from art_training.steps.squeeze import Squeeze
from art_training.steps.step import Step, only
from art_training.steps.transfer_learning import TransferLearning
from art_training.steps.tune import Tune

__all__ = [
    "Bench",
    "CheckLossOnInit",
    "Diagnose",
    "EvaluateBaseline",
    "ExploreData",
    "FinalTest",
    "Overfit",
    "OverfitOneBatch",
    "Regularize",
    "Squeeze",
    "Step",
    "TransferLearning",
    "Tune",
    "only",
]
