"""Which way a step moves the chance of actions, as what they earned says."""

import ast
import inspect
import textwrap
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from art_training.probes.specimen import Specimen
from art_training.setup.data.batch import entries, rows, size

_EARNED = ("reward", "return", "advantage", "gain", "payoff", "profit", "utility")
_COSTS = ("cost", "penalt", "regret", "loss", "negative", "neg_")
_NOISE = 0.05  # of weights: a last layer of zeros gives every action the same chance


@dataclass(frozen=True)
class Pushed:
    """How the score of the action that was taken moves with what it earned.

    Attributes:
        earned: what code calls the entry that says how much the action earned.
        path: of that entry in the batch.
        actions: that there are.
        examples: whose score is moved at all.
        correlation: over these, of the move of the score per chance that is left with what was earned; 1 where what earns more is
            made more likely, -1 where it is made less likely, in exact proportion.
        reached: whether the scores are moved at all.
    """

    earned: str
    path: str
    actions: int
    examples: int
    correlation: float
    reached: bool


def pushed(specimen: Specimen) -> Pushed | None:
    """How scores move in the first batch; None where nothing of it is called a reward, or no scores of actions are seen."""
    batch = specimen.batches[0]
    count = size(batch)
    columns = {
        path: leaf
        for path, leaf in entries(batch).items()
        if isinstance(leaf, Tensor) and rows(leaf) == count and leaf.numel() == count
    }
    names = _names(specimen)
    earned = {
        path: name for path in columns if _is_earned(name := _name(path, names)) and columns[path].is_floating_point()
    }
    taken = [path for path, leaf in columns.items() if not leaf.is_floating_point()]
    if len(earned) != 1 or len(taken) != 1 or not specimen.automatic:
        return None
    (path, name), action = next(iter(earned.items())), columns[taken[0]].reshape(count).long()
    with torch.no_grad():
        for parameter in specimen.module.parameters():
            if parameter.is_floating_point():
                parameter.add_(torch.randn_like(parameter) * _NOISE)
    with _scores(specimen.module, count) as seen:
        loss = specimen.loss(batch)
    if loss is None or not loss.requires_grad or not seen or int(action.min()) < 0:
        return None
    for scores in reversed(seen):
        if scores.shape[1] <= int(action.max()):
            continue
        (slope,) = torch.autograd.grad(loss, scores, allow_unused=True, retain_graph=True)
        if slope is None:
            continue
        # Of a softmax the score of an action moves by its weight times the chance that is left to others.
        left = 1 - torch.softmax(scores.detach().double(), 1).gather(1, action.unsqueeze(1)).squeeze(1)
        move = -slope.double().gather(1, action.unsqueeze(1)).squeeze(1) / left.clamp_min(1e-12)
        reward = columns[path].reshape(count).double()
        moves = bool((move.abs() > 0).any()) and bool(reward.std() > 0) and bool(move.std() > 0)
        correlation = float(torch.corrcoef(torch.stack([move, reward]))[0, 1]) if moves else 0.0
        return Pushed(name, path, int(scores.shape[1]), int((move != 0).sum()), correlation, reached=moves)
    return None


def _is_earned(name: str) -> bool:
    lowered = name.lower()
    return any(one in lowered for one in _EARNED) and not any(one in lowered for one in _COSTS)


def _name(path: str, names: dict[str, str]) -> str:
    return names.get(path, path)


def _names(specimen: Specimen) -> dict[str, str]:
    """What the training step calls the positions of its batch, as in `state, action, reward = batch`."""
    step = getattr(type(specimen.module), "training_step", None)
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(step))) if step is not None else None
    except (OSError, TypeError, SyntaxError):
        return {}
    if (
        tree is None
        or not tree.body
        or not isinstance(tree.body[0], ast.FunctionDef)
        or len(tree.body[0].args.args) < 2
    ):
        return {}
    batch = tree.body[0].args.args[1].arg
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) and node.value.id == batch:
            for target in node.targets:
                if isinstance(target, ast.Tuple | ast.List):
                    return {str(n): one.id for n, one in enumerate(target.elts) if isinstance(one, ast.Name)}
    return {}


@contextmanager
def _scores(root: nn.Module, count: int) -> Generator[list[Tensor]]:
    """Fills with the tables (examples, actions) that modules give, in order."""
    seen: list[Tensor] = []

    def note(module: nn.Module, given: Any, output: Any) -> None:
        del module, given
        if (
            isinstance(output, Tensor)
            and output.requires_grad
            and output.ndim == 2
            and len(output) == count
            and output.shape[1] > 1
        ):
            seen.append(output)

    handles = [one.register_forward_hook(note) for one in root.modules()]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()
