"""Whether a candidate differs from the reference at all: by its settings before, by its weights after."""

import inspect
from typing import Any

from art_training.setup.modified import Modified
from art_training.setup.setup import Setup
from art_training.setup.torch_model import TorchModel
from art_training.steps.bench import Bench
from art_training.steps.regularization.trying import Tried


def with_defaults(setup: Setup) -> Setup:
    """The setup with every hyper-parameter written out that its model or its optimiser has a default for."""
    model: Any = setup.model.base if isinstance(setup.model, Modified) else setup.model
    more = dict(model.optimizer_arguments) if isinstance(model, TorchModel) else {}
    try:
        parameters = inspect.signature(model.model if isinstance(model, TorchModel) else model).parameters.values()
    except (TypeError, ValueError):  # a callable of C
        parameters = ()
    named = (one for one in parameters if one.kind in {one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY})
    defaults = {one.name: one.default for one in named if one.default is not one.empty}
    return setup.but(hparams={**defaults, **more, **setup.hparams})


def ended_alike(bench: Bench, tried: Tried, reference: Tried) -> bool:
    """Whether a training under the first seed ended with the very weights of the reference's, bit by bit."""
    from art_training.engines.weights import digest_of

    kept = [side.trainings[0].weights for side in (tried, reference)]
    digests = [digest_of(bench.engine.weights(bench.fetch(one))) for one in kept if one is not None]
    return len(digests) == 2 and digests[0] == digests[1]
