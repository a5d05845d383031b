"""Whether a setup that a step is going to train can be built, looked at before anything is trained."""

from art_training.errors import UsageError
from art_training.setup.modified import Modified
from art_training.setup.setup import Setup
from art_training.steps.bench import Bench


def require_buildable(bench: Bench, setup: Setup) -> None:
    """Build what a setup's code makes, so that a wrong one is told of before anything is trained.

    Raises:
        SetupError: it cannot be trained as declared, e.g. because a modifier returned nothing.
    """
    try:
        bench.engine.validate(setup)
        bench.engine.parameters(setup)
        if isinstance(setup.data, Modified):
            bench.engine.splits(setup, seed=bench.seed)
    except UsageError:
        raise
    except Exception:  # noqa: BLE001  What its code raises is told when it is tried, as that training's own failure.
        return
