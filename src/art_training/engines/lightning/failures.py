"""What a failed training failed of."""

from typing import Any

import torch

from art_training.engines.mistakes import Scene, argument, batch_mistake, optimizer_mistake, step_of
from art_training.errors import ARTError, SetupError
from art_training.setup.torch_model import TorchParts

_STEPS = ("training_step", "validation_step", "test_step")
_MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory", "failed to allocate memory")


def name_of(value: Any) -> str:
    """How a sentence calls a class, a function, or the class of an object: without the place where it was defined."""
    name: str = getattr(value, "__qualname__", None) or type(value).__qualname__
    return name.rpartition("<locals>.")[2]


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the device or the machine had no memory left."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _MEMORY)


def line_of(error: BaseException) -> str:
    """The first line of what an error says, or what it is called where it says nothing."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


def require_a_loss(trainer: Any, module: Any) -> None:
    """Raise where no batch has had a loss, though there is an optimiser that waits for one.

    Raises:
        SetupError: the training step returned nothing all along.
    """
    if module.automatic_optimization and trainer.optimizers:
        raise SetupError(
            f"{name_of(type(module))}.training_step returned no loss for any batch, so no weight has changed; end it with "
            "`return loss`, or set self.automatic_optimization = False if it steps the optimiser itself"
        )


def as_setup_error(error: Exception, module: Any) -> SetupError | None:
    """The sentence for a fault of the setup that torch or Lightning tell in their own terms; None for any other.

    So is what the model raises where it makes its optimiser, or on the first batch that it is given. What it raises later
    is told as it is, but for what can only come from data that does not fit it.
    """
    if isinstance(error, ARTError):
        return None
    return _of_lightning(error, module) or _of_users(error, module)


def _of_users(error: Exception, module: Any) -> SetupError | None:
    plain = isinstance(getattr(module, "_parts", None), TorchParts)  # of art.from_torch, whose steps are not the user's
    model = module.model if plain else module
    if step_of(error, module, {"configure_optimizers"}):
        return optimizer_mistake(error, name_of(type(model)))
    frames = step_of(error, module, _STEPS)
    if not frames:
        return None
    trainer, index = module.trainer, argument(frames[0], 2)
    passing = str(getattr(trainer.state.fn, "value", "")) != "fit"
    if not isinstance(index, int) or not (passing or trainer.current_epoch == 0):
        return None
    scene = Scene(error, frames, model, argument(frames[0], 1))
    step = "" if plain else f".{frames[0].f_code.co_name}"
    return batch_mistake(scene, f"{name_of(type(model))}{step}", index, known_only=index > 0)


def _of_lightning(error: Exception, module: object) -> SetupError | None:
    text = str(error)
    name = name_of(type(module))
    if isinstance(error, RuntimeError) and "does not require grad" in text and "grad_fn" in text:
        return SetupError(
            f"the loss that {name}.training_step returns is not connected to the parameters, so nothing can be learned; "
            "look for .detach(), .item(), .data, torch.no_grad(), a new tensor made of numbers, an argmax, or parameters "
            "with requires_grad=False on its way"
        )
    if "`training_step` must return a Tensor, a dict, or None" in text:
        return SetupError(
            f"{name}.training_step returns something that is no tensor, so nothing can be learned; return the loss itself, "
            "connected to the parameters: look for .item(), float(), .numpy() or .tolist() on its way"
        )
    if isinstance(error, RuntimeError) and "grad can be implicitly created only for scalar outputs" in text:
        return SetupError(
            f"the loss that {name}.training_step returns has more than one number; return its mean, e.g. loss.mean()"
        )
    if isinstance(error, RuntimeError) and text.startswith("Early stopping conditioned on metric"):
        known = text.partition("use any of the following: ")[2].replace("`", "") or "nothing"
        return SetupError(
            f"EarlyStopping waits for {text.split('`')[1]!r}, which {name} does not log; it logs: {known}; name one of these"
        )
    if type(error).__name__ == "MisconfigurationException":
        return SetupError(f"Lightning cannot train {name} as it is set up: {' '.join(text.split())}")
    return None
