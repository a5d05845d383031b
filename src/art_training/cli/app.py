"""The commands, in groups by task. Nothing heavy is imported before a command runs."""

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from art_training import __version__
from art_training.cli.commands import (
    dashboard,
    demo,
    diagnose,
    diff,
    docs,
    doctor,
    export,
    gc,
    learn,
    log,
    new,
    plan,
    plugins,
    report,
    rm,
    rules,
    run,
    runs,
    show,
    status,
    verify,
)
from art_training.cli.examples import EXAMPLES, FIRST

TRAIN, FIND, LOOK, HOLD = "Train", "Find faults", "Look", "Hold to a standard"
LEARN, TIDY = "Learn", "Tidy up"

_GROUPS = {
    TRAIN: (new.new, run.run, plan.plan, demo.demo),
    FIND: (diagnose.diagnose, rules.rules, rules.explain),
    LOOK: (status.status, dashboard.dashboard, report.report, show.show, diff.diff, log.log, runs.runs, export.export),
    HOLD: (verify.verify,),
    LEARN: (learn.learn, docs.docs),
    TIDY: (rm.rm, gc.gc, doctor.doctor, plugins.plugins),
}

_EPILOG = (
    "Exit codes: 0 all passed, 1 a check failed or nothing was checked, 2 wrong use or a mistake in the setup, "
    "3 an error or not judged, 130 interrupted by Ctrl-C, 143 by SIGTERM."
)


class _Exampled(TyperCommand):
    """Help that ends with examples."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """What to type, and what for."""
        _write(EXAMPLES.get(self.name or "", ()), formatter)


class _Grouped(TyperGroup):
    """Help by task, without the cost of importing rich."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Examples before the exit codes."""
        _write(FIRST, formatter)
        super().format_epilog(ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """One section a task."""
        width = max(len(name) for name in self.commands)
        for task, functions in _GROUPS.items():
            rows = [
                (name.ljust(width), command.get_short_help_str(formatter.width - width - 6))
                for name, command in self.commands.items()
                if command.callback is not None and name in {function.__name__ for function in functions}
            ]
            with formatter.section(task):
                formatter.write_dl(rows)


def _write(examples: Sequence[tuple[str, str]], formatter: Any) -> None:
    """Examples one under another: side by side they would be too wide for a terminal."""
    if examples:
        with formatter.section("Examples"):
            for typed, what in examples:
                formatter.write(f"{' ' * formatter.current_indent}{typed}\n")
                formatter.write(f"{' ' * (formatter.current_indent + 4)}{what}\n")


app = typer.Typer(
    cls=_Grouped,
    help="Actually Robust Training: steps of growing complexity, each ended by checks, with the evidence kept.",
    epilog=_EPILOG,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"art-training {__version__}\n")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def start(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001  Its callback answers.
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    """Show the help where no command is given."""
    if context.invoked_subcommand is None:
        sys.stdout.write(context.get_help() + "\n")


for _functions in _GROUPS.values():
    for _function in _functions:
        app.command(_function.__name__, cls=_Exampled)(_function)
