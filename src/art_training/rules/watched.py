"""What watches every training of a project, and the rules that judge by nothing else."""

from collections.abc import Sequence
from typing import Any

from art_training.probes import Monitor
from art_training.probes.health import Health
from art_training.records import Finding, Severity
from art_training.rules.laboratory import Laboratory, NotApplicable, NotMeasured
from art_training.rules.registry import raised_itself, rules
from art_training.rules.rule import Rule
from art_training.setup.called import Called

_CHEAP: tuple[type[Monitor], ...] = (Health,)
_AS_THEY_ARE = Called()
EVERY = 50  # optimiser steps between two whose gradients are looked at; a look costs about a tenth of a small step


def watchers() -> tuple[Monitor, ...]:
    """Monitors for one training, cheap enough for all."""
    return (Health(every=EVERY),)


def watched_rules() -> tuple[Rule, ...]:
    """The rules that need nothing but what these monitors saw."""
    return tuple(one for one in rules() if one.watches and set(one.watches) <= set(_CHEAP) and not one.asks)


def judged(monitors: Sequence[Monitor], called: Called = _AS_THEY_ARE) -> tuple[dict[str, Any], tuple[Finding, ...]]:
    """What each of these rules says of a training, as the check `Healthy` reads it, and what was found.

    Args:
        monitors: that watched it.
        called: how the user calls the parts of the model.
    """
    laboratory = Laboratory(called=called)
    for monitor in monitors:
        if monitor.failure:
            laboratory.give_up(type(monitor), monitor.failure)
        else:
            laboratory.lay_down(monitor)
    passed: list[str] = []
    unjudged: dict[str, str] = {}
    found: dict[str, Finding] = {}
    for rule in watched_rules():
        try:
            findings = rule.findings(laboratory)
        except NotApplicable:
            continue
        except NotMeasured as reason:
            unjudged[rule.code] = str(reason)
            continue
        except Exception as error:  # noqa: BLE001  A fault of one rule must neither silence the others nor end a training.
            unjudged[rule.code] = raised_itself(rule, error)
            continue
        serious = [one for one in findings if one.severity is not Severity.INFO]
        if serious:
            found[rule.code] = serious[0]
        else:
            passed.append(rule.code)
    explained = {code for rule in watched_rules() if rule.code in found for code in rule.symptoms}
    causes = {code: one for code, one in found.items() if code not in explained}
    told = {
        code: {"severity": one.severity.value, "message": one.message, "remedy": one.remedy}
        for code, one in causes.items()
    }
    return {"passed": passed, "found": told, "not judged": unjudged, "broken": ""}, tuple(causes.values())
