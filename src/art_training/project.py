"""What a user declares. The only place where defaults are chosen."""

import inspect
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Literal

from art_training.checks import Check
from art_training.errors import ProjectError, UnknownMetric
from art_training.records import Metric, Plan, Split
from art_training.records.meant import did_you_mean
from art_training.runner import Declared, Listener, ProjectResult, Wish, make_plan, run_project
from art_training.runner.attaching import Wanted, attached, print_probed
from art_training.setup.frames import folding
from art_training.setup.importing import is_importing
from art_training.setup.scores.metrics import LOSS, TASK_LOSS, MetricCalculator, meant_metric
from art_training.setup.setup import Setup
from art_training.standards import Standard, Waiver, installed_standard
from art_training.steps.settings import dropped
from art_training.steps.step import Step
from art_training.steps.step import only as only_these
from art_training.stores import Store
from art_training.stores.where import open_store
from art_training.stores.workspaces import project_folder
from art_training.trackers.lightning_logger import is_logger
from art_training.trackers.resolving import resolved
from art_training.trackers.tracker import Tracker


class ArtProject:
    """A setup, metrics and ordered steps, whose results are kept in a store.

    Declaring a project costs nothing and writes nothing; `run` does both.
    """

    def __init__(
        self,
        name: str,
        setup: Setup,
        *,
        metrics: Mapping[str, Any] | None = None,
        steps: Iterable[Step] = (),
        store: Store | Path | str | None = None,
        trackers: Iterable[Any] = (),
        seed: int = 0,
        folder: Path | str | None = None,
        standard: Standard | str | None = None,
        waivers: Iterable[Waiver] = (),
    ) -> None:
        """Declare a project.

        Args:
            name: scopes the project's records in the store.
            setup: what is trained.
            metrics: torchmetrics objects, or functions of predictions and targets, by name.
            steps: the recipe, in order.
            store: a store, a path, or a URL; by default `ART_STORE`, else `.art/art.db` in the project's folder.
            trackers: names such as `"wandb"`, objects of `art.trackers`, Lightning loggers, or functions that are called with
                every event; they cannot hurt a run.
            seed: every random state follows from it.
            folder: the project's folder; by default that of the file that declares it, or the working directory.
            standard: what `art verify` holds the project to: a standard, or the name of an installed one.
            waivers: exceptions to it that somebody answers for.

        Raises:
            ProjectError: a name is taken twice or is none, or something is not what it should be.
            UnknownMetric: a step or a check names a metric that the project does not have.
        """
        if not isinstance(name, str) or not name.strip() or re.search(r"[\x00-\x1f]", name):
            raise ProjectError(f"a project's name must be a word or a phrase, not {name!r}")
        if not isinstance(setup, Setup):
            raise ProjectError(f"setup={setup!r} is not a Setup; write art.Setup(model=..., data=...)")
        if not isinstance(seed, int) or isinstance(seed, bool):
            raise ProjectError(f"seed={seed!r} is no whole number; give seed=0")
        if isinstance(steps, Step):
            raise ProjectError(
                f"steps={steps.name} is one step; write a list of steps: steps=[{type(steps).__name__}()]"
            )
        self.name = name
        self.setup = setup
        self.metrics = MetricCalculator(metrics)
        self.seed = seed
        self.folder = Path(folder).expanduser().absolute() if folder is not None else folder_of_caller()
        self.trackers: tuple[Tracker | Listener, ...] = ()
        self.standard = installed_standard(standard) if isinstance(standard, str) else standard
        if self.standard is not None and not isinstance(self.standard, Standard):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ProjectError(
                f"standard={standard!r} is no standard; give art.Standard(...), or a name such as 'karpathy'"
            )
        if isinstance(waivers, Waiver):
            raise ProjectError(
                f"waivers={waivers.requirement!r} is one waiver; write a list of waivers: waivers=[art.Waiver(...)]"
            )
        self.waivers = tuple(waivers)
        wrong = next((one for one in self.waivers if not isinstance(one, Waiver)), None)  # pyright: ignore[reportUnnecessaryIsInstance]
        if wrong is not None:
            raise ProjectError(f"waivers hold {wrong!r}, which is no waiver; give art.Waiver(...)")
        self.left_out: Mapping[str, str] = {}  # what of the recipe could not be derived, and what each would need
        self.derived_checks: Mapping[str, tuple[Check, ...]] = {}  # by step: what a recipe asks besides
        self.derived_steps: Mapping[str, Step] = {}  # by name: as a recipe made them
        self._wanted_store = store
        self._store_folder = self.folder
        self._store: Store | None = None
        self._steps: list[Step] = []
        for step in steps:
            self.add_step(step)
        if isinstance(trackers, str | Tracker) or is_logger(trackers):
            raise ProjectError(f"trackers={trackers!r} is one tracker; write a list: trackers=[{trackers!r}]")
        for tracker in trackers:
            self.add_tracker(tracker)

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps in order."""
        return tuple(self._steps)

    @property
    def store(self) -> Store:
        """The project's store; opened when it is first needed.

        Raises:
            StoreError: it cannot be opened.
        """
        if self._store is None:
            self._store = open_store(self._wanted_store, project_folder=self._store_folder)
        return self._store

    def use_store(self, where: Store | Path | str, *, folder: Path | None = None) -> None:
        """Keep records there instead; for what stands above the declaration, as a command line does.

        Args:
            where: as `store` of the project.
            folder: where a relative path begins; by default in the project's folder.
        """
        self._wanted_store, self._store, self._store_folder = where, None, folder or self.folder

    def add_tracker(self, tracker: Any) -> "ArtProject":
        """Mirror runs by one more tracker; a name that one of the project's trackers has already adds none.

        Raises:
            ProjectError: there is none of that name, or it is nothing that can be told events.
        """
        if isinstance(tracker, str) and any(getattr(one, "name", "") == tracker for one in self.trackers):
            return self
        found = resolved(tracker)
        self.trackers = (*self.trackers, *(() if found is None else (found,)))
        return self

    def add_step(self, step: Step, *, before: str | None = None) -> "ArtProject":
        """Add a step at the end, or before the step of this name.

        Raises:
            ProjectError: a step of its name is there already, or there is none to put it before.
            UnknownMetric: the step or one of its checks names a metric that the project does not have.
        """
        step = self._accepted(step)
        if step.name in self._names():
            raise ProjectError(
                f"two steps of project {self.name!r} are named {step.name!r}; give one another name, "
                f"e.g. {type(step).__name__}(name='{step.name}2')"
            )
        self._steps.insert(len(self._steps) if before is None else self._index(before), step)
        return self

    def replace_step(self, step: Step) -> "ArtProject":
        """Put a step in place of the one with its name.

        Checks that `art.recipe` derived for the step are asked of the new one as well, if it is of the same kind and comes
        without checks; `checks=[...]` and `checks=only(...)` stand in their place. Other settings are those of the new step
        alone; what the recipe had set and the new step of its kind leaves as it is by default, such as human scores, is among
        what the plan says is left out.

        Raises:
            ProjectError: there is no step of its name.
            UnknownMetric: as in `add_step`.
        """
        step = self._accepted(step)
        at = self._index(step.name)
        derived = self.derived_checks.get(step.name, ())
        if (
            derived
            and type(step) is type(self._steps[at])
            and not step.checks
            and not isinstance(step.checks, only_these)
        ):
            step = self._accepted(replace(step, checks=derived))
        self._steps[at] = step
        return self

    def remove_step(self, name: str) -> "ArtProject":
        """Take a step out; its records stay in the store.

        Raises:
            ProjectError: there is no step of this name.
        """
        del self._steps[self._index(name)]
        return self

    @folding
    def plan(
        self,
        *,
        force: bool | Iterable[str] = False,
        stale: Literal["rerun", "keep"] = "rerun",
        only: Iterable[str] = (),
        until: str | None = None,
        lenient: bool = False,
    ) -> Plan:
        """Say what `run` would do with the same arguments: what runs, what is recalled, what is stale and why.

        Args:
            force: as of `run`.
            stale: as of `run`.
            only: as of `run`.
            until: as of `run`.
            lenient: plan steps though they cannot run as they are declared, to know where the project stands.

        Raises:
            ProjectError: an argument names a step that the project does not have, or `only` asks for a use of the test split
                behind a step that did not pass.
            SetupError: a step that would run cannot, as far as can be told without reading data.
        """
        return make_plan(self._declared(), self._wish(force, stale, only, until), lenient=lenient)

    @folding
    def run(
        self,
        *,
        force: bool | Iterable[str] = False,
        stale: Literal["rerun", "keep"] = "rerun",
        only: Iterable[str] = (),
        until: str | None = None,
        listen: Callable[[Any], None] | None = None,
        probes: Wanted = (),
    ) -> ProjectResult:
        """Run what is new, stale or was broken off, in order, until a step does not pass; recall the rest.

        A step whose checks failed, and that nothing has changed for, is judged again on what it left: trained again it
        would come out the same. `force` trains it again.

        Args:
            force: True runs every step that is asked for; names run those.
            stale: `rerun` runs outdated steps again, `keep` leaves them and marks them.
            only: names of the steps to run; the newest outcomes of the others are their evidence. The test split is used behind
                steps that passed alone, or that are declared with `continue_on_failure=True`.
            until: name of the last step to run.
            listen: called with every event.
            probes: look at the trainings and change nothing: of `art_training.probes.attached`, or names such as
                `"batches"`; or these by the names of the steps that they look at. Where nobody listens, what they see is
                printed.

        Raises:
            ProjectError: as of `plan`; or `probes` names a step that there is not, or something that is no probe.
            ProjectLocked: another process runs this project now.
            KeyboardInterrupt: Ctrl-C; what was measured is kept.
            SystemExit: with 143, after SIGTERM, in the main thread; what was measured is kept.
            Exception: whatever a step raised; it is recorded.
        """
        if is_importing():
            raise ProjectError(
                f"project {self.name!r} is run while its file is imported; "
                'put project.run() under `if __name__ == "__main__":`'
            )
        wish = self._wish(force, stale, only, until)
        looking = attached(probes, self._names())
        listeners = (listen,) if listen else (print_probed,) if looking else ()
        return run_project(self._declared(), wish, listeners, looking)

    def __repr__(self) -> str:
        return f"ArtProject({self.name!r}, steps=[{', '.join(self._names())}])"

    def _declared(self) -> Declared:
        return Declared(
            name=self.name,
            setup=self.setup,
            metrics=self.metrics,
            steps=self.steps,
            seed=self.seed,
            store=self.store,
            workspace=project_folder(self.store, self.name),
            folder=self.folder,
            trackers=self.trackers,
            left_out={**self.left_out, **dropped(self.derived_steps, self._steps)},
        )

    def _wish(
        self,
        force: bool | Iterable[str],
        stale: Literal["rerun", "keep"],
        only: Iterable[str],
        until: str | None,
    ) -> Wish:
        if until is not None and not isinstance(until, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ProjectError(f"until={until!r} is no name of a step; give the last one to run: until='Overfit'")
        forced = force if isinstance(force, bool) else _names_in(force)
        wanted = _names_in(only)
        named = [*([] if isinstance(forced, bool) else sorted(forced)), *sorted(wanted), *([until] if until else [])]
        for name in named:
            self._index(name)
        if stale not in {"rerun", "keep"}:
            raise ProjectError(f"stale={stale!r} is neither 'rerun' nor 'keep'")
        if wanted and until:
            raise ProjectError("only= and until= exclude each other; give one of them")
        return Wish(force=forced, stale=stale, only=wanted, until=until or "")

    def _accepted(self, step: Any) -> Step:
        """The step with its checks' metrics resolved, if everything that it names exists."""
        if not isinstance(step, Step):
            hint = f"{step.__name__}()" if isinstance(step, type) else "e.g. Overfit()"
            raise ProjectError(f"{step!r} is not a step; give an instance, {hint}")
        metrics = self.metrics.without(step.skip_metrics)
        checks = [check.resolved(self.metrics.name_of) for check in step.checks]
        known = step.score_names(metrics.names)  # a metric that gives several numbers has them as `name.part`
        for check in checks if known is not None else ():
            for name in check.asks:
                _require_score(step, check, Metric(name), known or ())
            for metric in (getattr(check, field.name) for field in fields(check)):
                if isinstance(metric, Metric):
                    _require_score(step, check, metric, known or ())
                    _require_split(step, check, metric, {*metrics.names, LOSS, TASK_LOSS})
        return replace(
            step, checks=type(step.checks)(*checks) if isinstance(step.checks, only_these) else tuple(checks)
        )

    def _names(self) -> list[str]:
        return [step.name for step in self._steps]

    def _index(self, name: str) -> int:
        if name not in self._names():
            raise ProjectError(
                f"project {self.name!r} has no step {name!r}{did_you_mean(name, self._names())}; "
                f"it has: {', '.join(self._names()) or 'none'}"
            )
        return self._names().index(name)


def _require_score(step: Step, check: Check, metric: Metric, known: Collection[str]) -> None:
    """Refuse a score that the step will not have.

    Raises:
        UnknownMetric: it is none of those known.
    """
    alone = metric.name == TASK_LOSS and LOSS in known
    if not alone and not {metric.name, metric.name.partition(".")[0]} & set(known):
        remedy = step.remedy_for(metric.name) or f"it will have: {', '.join(known)}"
        raise UnknownMetric(
            f"the check `{check.title}` of step {step.name!r} asks for {metric.name!r}, "
            f"which it will not have{_instead(metric, known)}; {remedy}"
        )


def _require_split(step: Step, check: Check, metric: Metric, by_split: Collection[str]) -> None:
    """Refuse a score that the step cannot leave: the loss and the project's metrics are those of a split.

    Raises:
        UnknownMetric: the split is missing, or is one that the step does not or may not evaluate a model on.
    """
    asks = f"the check `{check.title}` of step {step.name!r} asks for"
    if metric.split is None and {metric.name, metric.name.partition(".")[0]} & set(by_split):
        splits = [split for split in Split if split is not Split.TEST or step.may_test]
        which = " or ".join(repr(f"{split}/{metric.name}") for split in splits)
        raise UnknownMetric(f"{asks} {metric.name!r} of no split; name one: {which}")
    if metric.split is Split.TEST and not step.may_test:
        raise UnknownMetric(
            f"{asks} '{metric}', but the test split is for the final test alone; "
            f"name '{replace(metric, split=Split.VALIDATION)}', or ask it of FinalTest"
        )
    if metric.split is not None and step.scored_splits is not None and metric.split not in step.scored_splits:
        scored = [split for split in Split if split in step.scored_splits]
        which = " or ".join(f"'{replace(metric, split=split, loader=None)}'" for split in scored)
        raise UnknownMetric(
            f"{asks} '{metric}', which it will not have: it scores {' and '.join(scored)}; name {which}, or ask it of a step "
            f"that scores {metric.split}"
        )


def _instead(metric: Metric, known: Collection[str]) -> str:
    """The address that was meant by a mistyped one, as a part of a sentence; empty where none is near."""
    near = meant_metric(metric.name, known)
    return f" (did you mean '{replace(metric, name=near)}'?)" if near else ""


def _names_in(value: Iterable[str]) -> frozenset[str]:
    return frozenset([value] if isinstance(value, str) else value)


def folder_of_caller() -> Path:
    """The folder of the file that calls the function that asks; a notebook has none, its working directory counts."""
    here = inspect.currentframe()
    init = here.f_back if here else None
    caller = init.f_back if init else None
    file = caller.f_globals.get("__file__") if caller else None
    return Path(file).resolve().parent if file else Path.cwd()
