"""An existing model of the setup's own class, by its weights."""

from pathlib import Path

from art_training.errors import SetupError
from art_training.records import Candidate, Split
from art_training.setup.scores.metrics import comparable
from art_training.steps.bench import Bench
from art_training.steps.transfer.pretrained import fit, read
from art_training.stores.artifacts import file_digest


def score_weights(bench: Bench, name: str, path: Path) -> Candidate:
    """Score the setup's model with the weights of a file.

    Raises:
        SetupError: the file cannot be read, or does not hold all of the model's weights.
    """
    what = f"predictions[{name!r}]={str(path)!r}"
    bench.say(f"evaluate {name}")
    try:
        fresh = bench.engine.fresh_weights(bench.setup, seed=bench.seed)
        fitted = fit(read(path, bench.engine), fresh, what)
    except SetupError as error:
        raise SetupError(f"{what} cannot be evaluated: {error}") from error
    if fitted.fresh:
        missing, why = next(iter(fitted.fresh.items()))
        raise SetupError(
            f"{what} holds {len(fitted.loaded)} of the {len(fresh)} tensors of the setup's model, and not {missing}: {why}; "
            "give weights of this very model, or load another one and give the module"
        )
    placed = bench.engine.write_weights(fitted.weights, bench.folder / "existing.ckpt")
    scored = bench.evaluate(Split.VALIDATION, weights=placed, plain=True, keep=False)
    digest = file_digest(path)[0]
    return Candidate(
        name, comparable(scored.scores), {"model": "the setup's own", "sha256": digest}, "weights from a file"
    )
