"""What a step will meet when it runs, as far as it is known before anything has."""

from dataclasses import dataclass

from art_training.engines import Engine, Parameter
from art_training.errors import ARTError, SetupError
from art_training.records.promise import Foresight
from art_training.setup.frames import users_lines
from art_training.setup.scores.metrics import MetricCalculator
from art_training.setup.setup import Setup


@dataclass(frozen=True)
class Prospect:
    """What a step will meet when it runs.

    Attributes:
        setup: that it works on, unless an earlier step chooses another.
        engine: the setup's.
        metrics: that the step computes.
        before: what the steps before it are going to leave.
        settled: whether no earlier step that is still to run can choose a setup whose model has other parameters.
    """

    setup: Setup
    engine: Engine
    metrics: MetricCalculator
    before: Foresight
    settled: bool = True

    def parameters(self) -> tuple[Parameter, ...] | None:
        """The parameters of a fresh model, which is made for it; None where it may await a file of an earlier step.

        Raises:
            SetupError: it cannot be made; with the line of the user's that raised.
        """
        try:
            return self.engine.parameters(self.setup)
        except Exception as error:  # whatever the user's constructor raises is a setup that cannot be used
            if self.awaits_file(error):
                return None
            if isinstance(error, ARTError):
                raise
            said = str(error).strip().partition("\n")[0].rstrip(". ")
            told = f"{type(error).__name__}: {said}" if said else type(error).__name__
            lines = users_lines(error)
            at = f", at {lines[-1]}" if lines else ""
            raise SetupError(f"its model cannot be made: {told}{at}; mend that line, or what it is given") from error

    def awaits_file(self, error: BaseException) -> bool:
        """Whether code of the user's found no file where an earlier step may still leave one.

        Then nothing is known against the setup: the run tells.

        Args:
            error: that the code raised, or that was raised from it.
        """
        if not self.before.with_files:
            return False
        at: BaseException | None = error
        while at is not None and not isinstance(at, OSError):
            at = at.__cause__ or at.__context__
        return at is not None
