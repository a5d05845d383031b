"""Which examples a training forgets: right after one epoch, wrong after a later one.

Toneva et al., An empirical study of example forgetting during deep neural network learning, ICLR 2019
(arXiv:1812.05159): examples that are forgotten often are the hard ones and the mislabelled ones.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from art_training.records import Plain
from art_training.setup.observation import BatchObservation
from art_training.setup.scores.measures import Pool
from art_training.steps.bench import Bench
from art_training.steps.decisions import Decisions

if TYPE_CHECKING:
    from torch import Tensor

_KEY = "forgetting"
_MOST_REMEMBERED = 20_000  # decisions; of more, a training that goes on after a kill begins to count anew


@dataclass(frozen=True)
class Forgotten:
    """What became of the examples that were looked at.

    Attributes:
        looks: the numbers of completed epochs at which they were.
        times: (examples,) how often a decision went from right to wrong, over all decisions of an example.
        learned: (examples,) whether all decisions were right at once at least once.
    """

    looks: tuple[int, ...]
    times: tuple[int, ...]
    learned: tuple[bool, ...]


def parse_forgotten(stored: Plain) -> Forgotten | None:
    """What was kept as plain data; None where nothing was."""
    if not isinstance(stored, dict):
        return None
    values: Any = stored
    return Forgotten(tuple(values["looks"]), tuple(values["times"]), tuple(values["learned"]))


@dataclass
class _State:
    """What was counted until the last complete look; decisions are those of all examples, one after the other."""

    looks: list[int] = field(default_factory=list[int])
    right: list[int] = field(default_factory=list[int])
    times: list[int] = field(default_factory=list[int])
    owner: list[int] = field(default_factory=list[int])
    learned: list[int] = field(default_factory=list[int])


class Forgetting:
    """Counts what is forgotten, given looks at the same batches again and again; `see` belongs into a `Look`.

    What was counted before a kill is remembered by the bench, so that a training that goes on counts on.
    """

    def __init__(self, bench: Bench, label: str = "") -> None:
        """Of the training called `label`."""
        self._bench = bench
        self._key = f"{_KEY} {label}".rstrip()
        self._state = _read(bench.recall(self._key))
        self._epoch: int | None = None
        self._right: list[Tensor] = []
        self._owner: list[Tensor] = []
        self._examples = 0

    def see(self, epochs: int, observation: BatchObservation) -> None:
        """Take in a batch as it is after so many epochs."""
        from art_training.setup.scores.outputs import read_outputs

        if epochs != self._epoch:
            self._close()
            if epochs == 0:  # from the beginning again
                self._state = _State()
            self._epoch = epochs
        outputs = read_outputs(observation, self._bench.task, self._bench.setup.outputs)
        if outputs.predictions is None or outputs.targets is None:
            return
        example = None if outputs.example is None else outputs.example.cpu()
        pool = Pool(outputs.predictions.cpu(), outputs.targets.cpu(), example)
        decisions = Decisions(pool, self._bench.task, observation.weight)
        if not decisions.decided:
            return
        wrong = decisions.wrong
        self._right.append(~wrong.reshape(-1))
        self._owner.append(_owners(example, wrong) + self._examples)
        self._examples += observation.weight

    @property
    def looks(self) -> tuple[int, ...]:
        """The numbers of completed epochs at which was looked."""
        self._close()
        return tuple(self._state.looks)

    def remember(self) -> None:
        """Keep what was counted, for a training that goes on after a kill."""
        self._close()
        if 0 < len(self._state.right) <= _MOST_REMEMBERED:
            self._bench.remember(self._key, vars(self._state))

    def result(self) -> Forgotten | None:
        """What was counted; None where there is no right and wrong, or nothing was looked at."""
        self._close()
        state = self._state
        if not state.owner:
            return None
        times = [0] * len(state.learned)
        for owner, count in zip(state.owner, state.times, strict=True):
            times[owner] += count
        return Forgotten(tuple(state.looks), tuple(times), tuple(bool(one) for one in state.learned))

    def _close(self) -> None:
        """Count the look that is complete."""
        import torch

        epoch, examples = self._epoch, self._examples
        right, owner = self._right, self._owner
        self._epoch, self._examples, self._right, self._owner = None, 0, [], []
        if epoch is None or not right:
            return
        state = self._state
        if state.looks and epoch <= state.looks[-1]:  # a training that goes on repeats what was not saved
            return
        now, of = torch.cat(right), torch.cat(owner)
        wrong_of_example = torch.zeros(examples, dtype=torch.long).index_add_(0, of, (~now).long())
        decided = torch.zeros(examples, dtype=torch.long).index_add_(0, of, torch.ones_like(of))
        learned = (wrong_of_example == 0) & (decided > 0)
        if len(state.right) == len(now):
            forgotten = torch.tensor(state.right, dtype=torch.bool) & ~now
            times = torch.tensor(state.times) + forgotten.long()
            learned |= torch.tensor(state.learned, dtype=torch.bool)
        else:
            times = torch.zeros_like(of)
        self._state = _State([*state.looks, epoch], _ints(now), _ints(times), _ints(of), _ints(learned))


def _owners(example: "Tensor | None", wrong: "Tensor") -> "Tensor":
    import torch

    rows = torch.arange(len(wrong)) if example is None else example
    return rows.repeat_interleave(wrong.shape[1])


def _ints(values: "Tensor") -> list[int]:
    return cast("list[int]", values.long().tolist())


def _read(remembered: Plain) -> _State:
    if not isinstance(remembered, dict):
        return _State()
    stored: Any = remembered
    return _State(**stored)
