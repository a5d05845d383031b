"""What the parts of a model are called: a plain nn.Module is trained within another one, of which its user knows nothing."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Self, cast

from art_training.setup.modified import Modified
from art_training.setup.torch_model import TorchModel

_PREFIX = "model."  # of the module around it, by which engines know its parameters
# Such a name in a sentence; neither a call, as of `model.eval()`, nor a part of a path, nor a file of code.
_MENTIONED = re.compile(r"(?<![\w./\\])model\.(?=\w)(?!py\b)(?![\w.]*\()")


@dataclass(frozen=True)
class Called:
    """How a user calls the parameters and modules of a model.

    Attributes:
        prefix: what an engine's name of a part has before it; empty where it is the user's own.
    """

    prefix: str = ""

    @classmethod
    def of(cls, model: Any) -> Self:
        """As the user of this model of a setup calls them."""
        return cls(_PREFIX if isinstance(model.base if isinstance(model, Modified) else model, TorchModel) else "")

    def shown(self, name: str) -> str:
        """A name as the user knows it."""
        return name.removeprefix(self.prefix)

    def told(self, value: Any) -> Any:
        """Plain data in whose texts each name is one that the user knows."""
        if not self.prefix:
            return value
        if isinstance(value, str):
            return _MENTIONED.sub("", value)
        if isinstance(value, Mapping):
            return {self.told(name): self.told(one) for name, one in cast("Mapping[Any, Any]", value).items()}
        if isinstance(value, list | tuple):
            return [self.told(one) for one in cast("Iterable[Any]", value)]
        return value

    def means(self, patterns: Iterable[str], name: str) -> bool:
        """Whether a part, by the engine's name, is or lies in what one of the user's names or patterns stands for."""
        mine = self.shown(name)
        return any(
            mine == one or mine.startswith(f"{one}.") or fnmatchcase(mine, one) or fnmatchcase(mine, f"{one}.*")
            for one in patterns
        )

    def meaningless(self, patterns: Iterable[str], names: Iterable[str]) -> list[str]:
        """Those of a user's names or patterns that stand for none of these parts."""
        known = list(names)
        return [one for one in patterns if not any(self.means([one], name) for name in known)]
