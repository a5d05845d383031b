"""Where pretrained weights come from: a file, what an earlier step delivers, or one of several weights that it left."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from art_training.errors import ProjectError, SetupError
from art_training.records import Artifact, Outcome
from art_training.records.meant import did_you_mean
from art_training.records.promise import Foresight
from art_training.steps.delivering.delivery import delivered
from art_training.steps.weights import LAST

_CHECKPOINT = "checkpoint"
_LISTED = 12


@dataclass(frozen=True)
class Source:
    """An earlier step that weights come from.

    Attributes:
        step: its name.
        member: the name of one of several weights that it left, `member 1` or `trial 7`; empty: what it delivers.
    """

    step: str
    member: str = ""


def source_of(pretrained: Any, steps: Iterable[str]) -> Source | None:
    """The step that `pretrained` names, as `Squeeze` or as `Squeeze/member 1`; None where it is a file.

    Args:
        pretrained: as declared.
        steps: names of the steps that there are.
    """
    if not isinstance(pretrained, str):
        return None
    names = sorted(steps, key=len, reverse=True)
    if pretrained in names:
        return Source(pretrained)
    step = next((name for name in names if pretrained.startswith(f"{name}/")), "")
    # A folder may be called as a step is; what lies in it is a file all the same.
    return Source(step, pretrained[len(step) + 1 :]) if step and not Path(pretrained).is_file() else None


def require_source(pretrained: Path | str, said: str, before: Foresight) -> None:
    """Refuse what is neither a file nor an earlier step that leaves weights.

    What a step of the user's own writes is not known, nor what a module, a callback or the data of a training do; a file that is
    not there yet is left to the run where one of these comes before. A text without a folder and an ending is a step's name.

    Args:
        pretrained: as declared.
        said: how a sentence calls it.
        before: what the earlier steps are going to leave.

    Raises:
        ProjectError: it is none.
    """
    source = source_of(pretrained, (*before.earlier, before.step, *before.later))
    if source is not None:
        kept = before.weights_of(source.step, said).kept
        name = source.member.removesuffix(f"/{LAST}").removesuffix(".ckpt")
        if name and kept is not None and name not in kept:
            each = ", ".join(repr(f"{source.step}/{one}") for one in kept[:_LISTED])
            more = f" and {len(kept) - _LISTED} more" if len(kept) > _LISTED else ""
            raise ProjectError(
                f"{said} names weights that {source.step} is not going to leave{did_you_mean(name, kept)}; the best of these "
                f"are kept: {each}{more}; name one of them, or {source.step!r}, for what it delivers"
            )
    elif not Path(pretrained).is_file():
        known = before.with_weights
        steps = (
            f"the name of an earlier step: {', '.join(known)}" if known else "put the step before it that trains them"
        )
        near = did_you_mean(pretrained, known) if isinstance(pretrained, str) else ""
        is_a_name = isinstance(pretrained, str) and not Path(pretrained).suffix and Path(pretrained).name == pretrained
        if before.with_files and not is_a_name:
            return
        raise ProjectError(f"{said} is neither a file nor an earlier step{near}; give the path of a file, or {steps}")


def require_file(pretrained: Path | str, said: str, earlier: Sequence[str]) -> None:
    """Refuse, when the step runs, what is still no file.

    Args:
        pretrained: as declared.
        said: how a sentence calls it.
        earlier: names of the steps that have run before.

    Raises:
        SetupError: it is none.
    """
    path = Path(pretrained)
    if path.is_file():
        return
    force = f"`art run --force-step {earlier[-1] if len(earlier) == 1 else 'NAME'}`"
    wrote = (
        f"none of the steps before it ({', '.join(earlier)}) has written it" if earlier else "no step comes before it"
    )
    remedy = f"let one write it there, again if it was recalled: {force}; or " if earlier else ""
    raise SetupError(
        f"{said} is no file: there is none at {path.absolute()}, and {wrote}; {remedy}give the path of a file"
    )


def weights_of(source: Source, outcome: Outcome, said: str) -> Artifact:
    """The weights that a step left, as they are named.

    One training is one model, whatever temperature its scores are delivered at; the mean of several is not.

    Args:
        source: which.
        outcome: of the step.
        said: how a sentence calls it.

    Raises:
        SetupError: the step left no such weights, or those of several models without one of them being named.
    """
    kept = {artifact.name: artifact for artifact in outcome.artifacts if artifact.kind == _CHECKPOINT}
    each = ", ".join(repr(f"{source.step}/{name.removesuffix(f'/{LAST}').removesuffix('.ckpt')}") for name in kept)
    if source.member:
        names = (source.member, f"{source.member}.ckpt", f"{source.member}/{LAST}")
        found = next((kept[name] for name in names if name in kept), None)
        if found is None:
            raise SetupError(f"{said} names weights that {source.step} did not leave; it left: {each or 'none'}")
        return found
    delivery = delivered(outcome)
    if delivery is not None and len(delivery.members) == 1 and delivery.members[0].artifact in kept:
        return kept[delivery.members[0].artifact]
    if delivery is not None:
        raise SetupError(
            f"{said} names a step that delivers an ensemble of {len(delivery.members)}, and a model begins with the weights "
            f"of one; name one of them: {each}; or let the step deliver one model, as a squeeze with ensemble=0 does"
        )
    if kept:
        raise SetupError(f"{said} names a step that left several weights and delivers none of them; name one: {each}")
    raise SetupError(f"{said} names a step that left no weights; name one that did")
