"""The ensemble as a teacher: what it predicts for the examples of the training split, and for what is made of them."""

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from art_training.errors import SetupError
from art_training.records import Split
from art_training.setup.data.batch import entries
from art_training.setup.observation import BatchObservation
from art_training.setup.task import Task
from art_training.steps.bench import Bench
from art_training.steps.squeezing.contenders import Contender, Trained

if TYPE_CHECKING:
    from torch import Tensor, nn

MOST_KEPT = 20_000_000  # predicted numbers kept; beyond, the members are asked for every batch


class Teacher:
    """Predictions of an ensemble by the content of an example.

    Before the student is trained, the training split passes through the members one after the other, and only one of
    them is in memory. A batch whose examples were all seen then costs a look-up. One that augmentation has changed was
    not: the members are asked for it, and from then on all of them are in memory, on the device of the batch.

    Attributes:
        looked_up: batches whose predictions were known.
        asked: batches that the members were asked for.
    """

    def __init__(self, bench: Bench, ensemble: Contender) -> None:
        self.looked_up = self.asked = 0
        self._bench = bench
        self._task = bench.task
        self._members = [(one, weight) for one, weight in ensemble.parts if weight > 0]
        self._known: dict[bytes, Tensor] = {}
        self._modules: list[tuple[Callable[[Any], Tensor], nn.Module, float]] = []

    def prepare(self) -> None:
        """Let every member predict the training split, in the form in which it is trained on."""
        for number, (one, weight) in enumerate(self._members, start=1):
            self._bench.say(f"let member {number} of {len(self._members)} teach")
            seen: dict[bytes, Tensor] = {}
            room = [MOST_KEPT]

            def see(observation: BatchObservation, seen: "dict[bytes, Tensor]" = seen, room: list[int] = room) -> None:
                prediction = _of_loss(observation, self._task)
                if len(prediction) != observation.weight or prediction.numel() > room[0]:
                    return
                room[0] -= prediction.numel()
                seen.update(zip(_keys(observation.batch, self._task), prediction.cpu(), strict=True))

            self._bench.observe(Split.TRAIN, see=see, setup=one.setup, weights=one.weights, seed=one.seed)
            if number == 1:
                self._known = {key: weight * row for key, row in seen.items()}
            else:
                self._known = {key: row + weight * seen[key] for key, row in self._known.items() if key in seen}

    def __call__(self, batch: Any) -> "Tensor":
        """What the student's predictions of a batch shall come near to.

        Raises:
            SetupError: the batch was not seen before, and the members cannot be asked outside of a training.
        """
        import torch

        device = next((leaf.device for leaf in entries(batch).values() if isinstance(leaf, torch.Tensor)), None)
        rows = [self._known.get(key) for key in _keys(batch, self._task)] if self._known else [None]
        if rows and all(row is not None for row in rows):
            self.looked_up += 1
            return torch.stack([row for row in rows if row is not None]).to(device)
        self.asked += 1
        return self._ask(batch, device)

    def _ask(self, batch: Any, device: Any) -> "Tensor":
        if not self._modules:
            self._modules = [(*_asked(self._bench, one), weight) for one, weight in self._members]
        total: Tensor | None = None
        for ask, module, weight in self._modules:
            if device is not None:
                module.to(device)
            one = weight * ask(batch)
            total = one if total is None else total + one
        assert total is not None
        return total


def _of_loss(observation: BatchObservation, task: Task) -> "Tensor":
    from art_training.setup.scores.losses import activate, activation_of
    from art_training.setup.scores.step_loss import main_call

    call = main_call(observation, task)
    if call is None:
        raise SetupError(
            "the model's step calls no loss of torch, so that it cannot be told what a teacher shall teach; use a loss of "
            "torch.nn in the step, or Squeeze(distill=False)"
        )
    return activate(call.prediction.detach(), activation_of(call), classes=1 if call.prediction.ndim > 1 else -1)


def _keys(batch: Any, task: Task) -> list[bytes]:
    """One key an example: the digest of its inputs' bytes, and of those of its target, which may say which rows count."""
    import torch

    found = entries(batch)
    paths = [path for path in (*task.inputs, task.target) if path in found]
    leaves = [found[path].detach().cpu().contiguous() for path in paths if isinstance(found[path], torch.Tensor)]
    count = min((len(leaf) for leaf in leaves), default=0)
    flat = [leaf.reshape(len(leaf), -1).contiguous().view(torch.uint8).numpy() for leaf in leaves]
    return [
        hashlib.blake2b(b"".join(rows[at].tobytes() for rows in flat), digest_size=16).digest() for at in range(count)
    ]


def _asked(bench: Bench, one: Trained) -> "tuple[Callable[[Any], Tensor], nn.Module]":
    """A member outside of the engine, and how it is asked for what enters its loss."""
    from art_training.exported.member import in_loss, load, make, parts_of
    from art_training.setup.torch_model import TorchParts

    factory, hparams = parts_of(one.setup)
    module = load(make(factory, hparams), bench.engine.weights(one.weights))
    made = one.setup.model(**one.setup.hparams)
    parts: TorchParts | None = made if isinstance(made, TorchParts) else None

    if parts is None:
        return lambda batch: in_loss(module, batch, bench.task), module
    known = parts

    def ask(batch: Any) -> "Tensor":
        return in_loss(module, batch, bench.task, lambda own, given: known.loss(*known.call(own, given)))

    return ask, module
