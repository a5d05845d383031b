"""Rules on whether the same begins the same."""

from art_training.probes.rebuilt import Repeated
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory
from art_training.rules.rule import Found, Stage, rule

_ROUNDING = 1e-3  # of a loss: sums in another order differ by about the square root of their terms times 1e-7


@rule(
    "ART810",
    "two trainings from one seed begin differently",
    category="reproducibility",
    severity=Severity.WARNING,
    stage=Stage.TRAIN,
    finds=(
        "Model and data are made twice, each time after all global generators (Python, NumPy, torch) were set to the same seed, "
        "and the first batches are fetched: weights or batches differ bit by bit, or the loss of the same batch by more than "
        f"{_ROUNDING:g} of itself, which is far beyond rounding."
    ),
    why=(
        "Something draws from the entropy of the machine or from the clock. Two results then differ by more than what was changed "
        "between them, a split differs with every run, and a failure cannot be looked at again."
    ),
    wrong="self.rng = np.random.default_rng()  # in the data set",
    right="self.rng = np.random.default_rng(seed)",
    source="https://docs.pytorch.org/docs/stable/notes/randomness.html",
    watches=(),
)
def begins_differently(laboratory: Laboratory) -> Found | None:
    """The same twice."""
    seen = laboratory.get(Repeated)
    losses = seen.losses
    apart = 0.0 if losses is None else abs(losses[0] - losses[1]) / max(abs(losses[0]), abs(losses[1]), 1e-12)
    evidence = {"weights": len(seen.weights), "batches": len(seen.batches), "loss apart": apart}
    remedy = "give every generator a seed: np.random.default_rng(seed), torch.Generator().manual_seed(seed), random.Random(seed)"
    if seen.weights:
        return Found(
            f"{len(seen.weights)} parameters and buffers begin with other values though the seed is the same",
            evidence,
            f"{remedy}; look for torch.seed(), os.urandom and the clock where the model is made",
            where=seen.weights[0],
        )
    if seen.batches:
        return Found(
            f"the entries {', '.join(seen.entries)} of {len(seen.batches)} of the first batches are others though the seed is the "
            "same",
            evidence,
            f"{remedy}; look at the split, the sampler and the augmentation",
            where=f"batch {seen.batches[0]}",
        )
    if apart > _ROUNDING and losses is not None:
        return Found(
            f"the loss of the same batch on the same weights was {losses[0]:.4g} and {losses[1]:.4g} though the seed is the same",
            evidence,
            f"{remedy}; look at what the step draws",
        )
    return None
