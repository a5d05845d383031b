"""With which settings the delivered model was trained: those that were declared, with what the steps chose laid over them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from art_training.records import Plain, plain
from art_training.steps.delivering.delivery import DELIVERED
from art_training.steps.squeezing.names import SINGLE
from art_training.views.account import StepAccount

_TEST = "FinalTest"
_TRAINER = "trainer."
_VARIANT = {"hparams", "trainer", "model", "data"}  # the fields by which the stored form of a variant is known


@dataclass(frozen=True)
class Delivered:
    """The model that a project has come to.

    Attributes:
        by: the step whose training left it.
        settings: with which that was trained, by dotted name.
        note: what the settings alone do not tell; else empty.
    """

    by: str
    settings: Mapping[str, Plain]
    note: str = ""


def delivered_of(steps: Sequence[StepAccount], trained: Sequence[StepAccount]) -> Delivered | None:
    """What is delivered; None where no step has trained it.

    A final test knows best: the setup that its model belongs to is its own. Without one that stands, it is what the last
    training ran with, and what its step chose.

    Args:
        steps: of the project, in its order.
        trained: those of them that trained models on the project's data and passed.
    """
    if not trained:
        return None
    test = next((one for one in reversed(steps) if _tests(one)), None)
    if test is None:
        return Delivered(trained[-1].status.step, chosen_settings(trained[-1]), _beyond(trained[-1]))
    by = _judged(test, trained)
    return Delivered(by.status.step, declared(test), _beyond(by))


def declared(one: StepAccount) -> dict[str, Plain]:
    """The setup that a step worked on, by dotted name."""
    parameters = one.view.record.parameters if one.view else {}
    return {name: plain(value) for name, value in parameters.items() if not name.startswith("step.")}


def chosen_settings(one: StepAccount) -> dict[str, Plain]:
    """The setup that a step worked on, with what it chose laid over it."""
    outcome = one.view.outcome if one.view else None
    if one.view is None or outcome is None:
        return declared(one)
    return {**declared(one), **_chosen(outcome.parameters, one.view.record.parameters)}


def _chosen(told: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Plain]:
    """What the winner of a search or of a comparison differs in, by dotted name."""
    if told.get("carried"):
        return _of_point(_mapping(told.get("point")), asked)
    candidates = _mapping(asked.get("step.candidates"))
    return _of_candidate(_mapping(candidates.get(str(told.get("winner")))))


def _of_point(point: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Plain]:
    """A point of a space holds the labels of its choices; what they stand for is in the stored space."""
    found: dict[str, Plain] = {}
    for name, value in point.items():
        options = _mapping(_mapping(asked.get(f"step.space.{name}")).get("options"))
        option = options.get(str(value), value)
        if set(_mapping(option)) >= _VARIANT:
            found |= _of_variant(_mapping(option))
        else:
            found[name if name.startswith(_TRAINER) else f"hparams.{name}"] = plain(option)
    return found


def _of_variant(variant: Mapping[str, Any]) -> dict[str, Plain]:
    settings = {
        f"{part}.{name}": plain(value) for part in ("hparams", "trainer") for name, value in variant[part].items()
    }
    modifiers = {f"{part}.modifier": plain(variant[part]) for part in ("model", "data") if variant[part] is not None}
    return {**settings, **modifiers}


def _of_candidate(components: Mapping[str, Any]) -> dict[str, Plain]:
    """Settings have their values, code that modifies something has its name: `model: add_dropout`."""
    found: dict[str, Plain] = {}
    for name, value in components.items():
        part, _, code = name.partition(": ")
        found[f"{part}.modifier.{code}" if code else name] = code or plain(value)
    return found


def _tests(one: StepAccount) -> bool:
    step = one.status
    stands = not (step.stale or step.waits_for or step.broken)
    return step.kind == _TEST and stands and one.view is not None and one.view.outcome is not None


def _judged(test: StepAccount, trained: Sequence[StepAccount]) -> StepAccount:
    """The step whose weights a final test judged: the one that it names, itself where it trained, else the last one."""
    assert test.view is not None
    assert test.view.outcome is not None
    if any(artifact.kind == "checkpoint" for artifact in test.view.outcome.artifacts):
        return test
    named = test.view.record.parameters.get("step.of")
    return next((one for one in trained if one.status.step == named), trained[-1])


def _beyond(one: StepAccount) -> str:
    """What a step made of its trainings: their mean, or more than a single training with these settings."""
    parameters = one.view.outcome.parameters if one.view and one.view.outcome else {}
    members = [
        _mapping(member) for member in cast("list[Any]", _mapping(parameters.get(DELIVERED)).get("members") or [])
    ]
    result = parameters.get("result")
    made = (
        f"{one.status.step} made more of these settings than one training: {result}, as told above."
        if result not in {None, SINGLE}
        else ""
    )
    if len(members) < 2:
        return made
    names = ", ".join(dict.fromkeys(str(member.get("candidate")) for member in members if member.get("candidate")))
    of = f", each trained with the settings of its own: {names} of {members[0].get('of')}" if names else ""
    return " ".join(filter(None, (made, f"It is the mean of what {len(members)} models predict{of}.")))


def _mapping(value: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}
