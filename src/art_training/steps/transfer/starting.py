"""What a transfer begins with: pretrained weights laid over fresh ones, of which nothing is frozen that was not learned."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from art_training.records import Reading
from art_training.steps.bench import Bench
from art_training.steps.transfer import freezing, pretrained, telling
from art_training.steps.transfer.anew import anew
from art_training.steps.transfer.phases import Work
from art_training.steps.transfer.source import require_file, source_of, weights_of
from art_training.stores.artifacts import file_digest

if TYPE_CHECKING:
    from torch import Tensor


class Start(NamedTuple):
    """What the frozen phase begins with: a file, its weights, what is to be told of them, and where they are from."""

    path: Path
    weights: "Mapping[str, Tensor]"
    readings: tuple[Reading, ...]
    source: dict[str, Any]


class _Given(NamedTuple):
    """Pretrained weights that fit: by name, which of them were loaded, what is to be told, and where they are from."""

    weights: "Mapping[str, Tensor]"
    loaded: frozenset[str]
    readings: Sequence[Reading]
    source: dict[str, Any]
    remedy: str


def said_of(given: Path | str, step: str) -> str:
    """How a sentence names what the user declared."""
    return f"pretrained={str(given)!r} of step {step!r}"


def start(bench: Bench, work: Work, given: Path | str | None, *, step: str, seed: int) -> Start:
    """Write the weights that the frozen phase begins with.

    Args:
        bench: whose setup makes the fresh ones.
        work: which parameters are frozen, and which stay fresh.
        given: where weights come from; None: the model's factory loads them itself.
        step: its name.
        seed: of the fresh ones.

    Raises:
        SetupError: there are no such weights, they do not belong to the model, or what is frozen would be random.
    """
    fresh = bench.engine.fresh_weights(bench.setup, seed=seed)
    # Statistics of a batch norm that is fresh are as fresh as its weights.
    leave = (*work.fresh, *freezing.frozen_buffers(list(fresh), work.names.of_engine, work.fresh))
    setup = anew(bench.setup, leave)
    if setup is not bench.setup:
        fresh = bench.engine.fresh_weights(setup, seed=seed)
    if given is None:
        remedy = "give pretrained=, or a model whose factory loads its weights"
        found = _Given(fresh, frozenset(), (), {}, remedy)
    else:
        found = _laid_over(bench, work, given, fresh, leave, said=said_of(given, step))
    unknown = [name for name in work.frozen if name not in found.loaded]
    other = bench.engine.fresh_weights(setup, seed=seed + 1) if unknown else fresh
    pretrained.require_learned(unknown, fresh, other, names=work.names, step=step, remedy=found.remedy)
    path = bench.engine.write_weights(found.weights, bench.folder / f"start-{seed}.ckpt")
    return Start(path, found.weights, tuple(found.readings), found.source)


def _laid_over(
    bench: Bench, work: Work, given: Path | str, fresh: "Mapping[str, Tensor]", leave: Sequence[str], *, said: str
) -> _Given:
    path, origin, of_step = _file(bench, given, said)
    weights = pretrained.read(path, bench.engine)
    fitted = pretrained.fit(weights, fresh, origin, leave=frozenset(leave))
    hints = (pretrained.under_another_name(fitted, weights, name) for name in work.frozen)
    source = {"from": origin, "step": of_step, "digest": file_digest(path)[0], "names": dict(fitted.loaded)}
    return _Given(
        fitted.weights,
        frozenset(fitted.loaded),
        telling.loaded(work.names, fitted, origin),
        {**source, "fresh": list(leave)},
        f"leave it out of freeze, or give weights that have it{next(filter(None, hints), '')}",
    )


def _file(bench: Bench, given: Path | str, said: str) -> tuple[Path, str, bool]:
    """Where the pretrained weights lie, what they are in words, and whether they are a step's."""
    source = source_of(given, bench.outcomes)
    if source is None:
        require_file(given, said, [one.name for one in bench.earlier])
        return Path(given), Path(given).name, False
    artifact = weights_of(source, bench.outcomes[source.step], said)
    return bench.fetch(artifact), f"step {given}", True
