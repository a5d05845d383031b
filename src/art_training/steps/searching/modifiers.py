"""The modifiers of a search space, looked at before the first trial."""

from collections.abc import Mapping

from art_training.errors import SetupError, UsageError
from art_training.records import Finding, Severity
from art_training.setup.variant import Variant
from art_training.steps.bench import Bench
from art_training.steps.buildable import Buildable
from art_training.tuning.dimension import Choice
from art_training.tuning.space import Space


def check_modifiers(space: Space, bench: Bench) -> dict[str, str]:
    """Build what each modifier makes that may be chosen, so that a wrong one is no failed trial hours later.

    Returns:
        Why some choices cannot be trained. Their trials fail before they train, and the others are made.

    Raises:
        SetupError: one of them is a mistake of its declaration, or no choice of a dimension can be trained.
    """
    unable: dict[str, str] = {}
    buildable = Buildable(bench)
    for name, dimension in space.dimensions.items():
        options = dimension.options if isinstance(dimension, Choice) else {}
        here: dict[str, str] = {}
        for label, option in options.items():
            if not isinstance(option, Variant) or (option.model is None and option.data is None):
                continue
            what = f"space[{name!r}] may be {label!r}"
            try:
                setup = option.apply(bench.setup)
                if why := buildable.why_not(setup):
                    here[f"{name}={label!r}"] = why
            except UsageError as error:
                raise SetupError(f"{what}: {error}") from error
        if here and len(here) == len(options):
            told = "; ".join(f"{what}: {why}" for what, why in here.items())
            raise SetupError(f"no choice of space[{name!r}] can be trained: {told}; nothing was trained")
        unable |= here
    return unable


def unable_findings(unable: Mapping[str, str]) -> list[Finding]:
    """One for each choice that cannot be trained."""
    return [
        Finding(
            code="ART742",
            category="evaluation",
            severity=Severity.WARNING,
            message=f"{what} could not be trained {why}",
            evidence={"candidate": what},
            remedy="mend it or leave it out; the others were compared without it",
        )
        for what, why in unable.items()
    ]
