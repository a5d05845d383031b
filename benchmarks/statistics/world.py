"""A world in which the truth is known: examples of unlike difficulty, and trainings that differ by their seed.

A model's margin on an example, above 0 where it is right, is

    ability + shift of the training + difficulty of the example + what this recipe makes of it + noise of both

Two recipes of equal ability are exchangeable, so that their true difference is 0 whatever is measured. The difficulty is
common to all, so that comparisons gain by pairing; the shift of the training is what another seed changes.
"""

from dataclasses import dataclass

import numpy as np
import torch

from art_training.setup.scores.examples import Examples
from art_training.setup.scores.measures import Pool
from art_training.setup.scores.metrics import MetricCalculator


def accuracy(predictions, targets):
    return ((predictions > 0.5) == targets).double().mean()


def f1(predictions, targets):
    chosen = predictions > 0.5
    return 2 * (chosen * targets).sum() / (chosen.sum() + targets.sum())


def auroc(predictions, targets):
    """Mann and Whitney's statistic; there are no ties."""
    ranks = torch.empty(len(predictions), dtype=torch.float64)
    ranks[predictions.argsort()] = torch.arange(1, len(predictions) + 1, dtype=torch.float64)
    positive = targets.sum()
    return (ranks[targets == 1].sum() - positive * (positive + 1) / 2) / (positive * (len(targets) - positive))


for metric in (accuracy, f1, auroc):
    metric.higher_is_better = True

METRICS = MetricCalculator({"accuracy": accuracy, "f1": f1, "auroc": auroc})


@dataclass(frozen=True)
class World:
    """
    Attributes:
        ability: mean margin of a recipe.
        seeds: standard deviation of a training's shift.
        difficulty: of examples, common to all models.
        taste: of examples, of one recipe.
        noise: of an example under one training.
        share: of positive examples.
    """

    ability: float = 1.0
    seeds: float = 0.2
    difficulty: float = 1.0
    taste: float = 0.4
    noise: float = 0.4
    share: float = 0.4

    def trainings(self, count, seeds, generator, *, gains=(0.0, 0.0)):
        """Of two recipes, each under so many seeds: a list of `Examples` each."""
        target = torch.from_numpy((generator.random(count) < self.share).astype(np.int64))
        difficulty = generator.normal(0, self.difficulty, count)
        sides = []
        for gain in gains:
            base = self.ability + gain + difficulty + generator.normal(0, self.taste, count)
            shifts = generator.normal(0, self.seeds, seeds)
            sides.append([self._examples(base + shift, target, generator) for shift in shifts])
        return sides

    def _examples(self, base, target, generator):
        margin = base + generator.normal(0, self.noise, len(base))
        loss = np.logaddexp(0, -2 * margin)
        logit = torch.from_numpy(2 * margin) * (2 * target - 1)
        return Examples(len(base), Pool(torch.sigmoid(logit), target), loss, np.ones(len(base)))

    def truth(self, name, gain):
        """What a gain in ability is worth in a metric, over trainings and examples, by brute force."""
        generator = np.random.default_rng(12345)
        values = []
        for _ in range(200):
            theirs, ours = self.trainings(20_000, 1, generator, gains=(0.0, gain))
            values.append(value_of(name, ours[0]) - value_of(name, theirs[0]))
        return float(np.mean(values)) * (-1 if name == "loss" else 1)


def value_of(name, examples):
    if name == "loss":
        return float(examples.losses.mean())
    return float(METRICS.measures[name].function(examples.pool.predictions, examples.pool.targets))
