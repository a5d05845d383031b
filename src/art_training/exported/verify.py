"""Loading an export in a process that has seen nothing of the training: `python -m art_training.exported.verify`."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from art_training.exported.encoding import decode, encode

if TYPE_CHECKING:
    from torch import Tensor

SECONDS = 300.0
_ANSWER = "answer: "


@dataclass(frozen=True)
class Verified:
    """What another process found.

    Attributes:
        difference: the largest distance between its predictions and ours; None where it had none.
        why: why it had none, in one sentence.
        seconds: of loading, imports included.
        unanswered: whether it had none because it did not come so far: it took too long, was ended, or could not import what
            the model is made of. That tells of the process and what surrounds it, and nothing of the export; another
            attempt may succeed.
    """

    difference: float | None
    why: str = ""
    seconds: float = 0.0
    unanswered: bool = False


def verify(archive: Path, batch: Any, expected: "Tensor", folder: Path, *, seconds: float = SECONDS) -> Verified:
    """Load an export in a new process, let it predict a batch, and compare.

    Args:
        archive: the export.
        batch: as it enters the model.
        expected: what this process predicts.
        folder: for what the two hand each other.
        seconds: after which the other process is ended.

    Raises:
        NotRebuilt: the batch holds what cannot be handed over.
    """
    from safetensors.torch import save_file

    tensors: dict[str, Tensor] = {}
    told = encode(batch, tensors, "the batch")
    asked = folder / "asked.safetensors"
    kept = {name: one.contiguous().clone() for name, one in tensors.items()} | {"expected": expected.cpu().contiguous()}
    save_file(kept, asked, metadata={"batch": json.dumps(told)})
    # Where this package was found, it shall be found again; the rest of the path is what a later process has, too.
    path = os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "art_training.exported.verify", str(archive), str(asked)]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            env={**os.environ, "PYTHONPATH": path},
        )
    except subprocess.TimeoutExpired:
        return Verified(None, f"a new process did not load it within {seconds:g} seconds", unanswered=True)
    lines = [line for line in done.stdout.splitlines() if line.startswith(_ANSWER)]
    if not lines:
        last = (done.stderr.strip().splitlines() or [f"it ended with exit code {done.returncode}"])[-1]
        return Verified(None, f"a new process could not load it: {last}", unanswered=True)
    answer: Mapping[str, Any] = json.loads(lines[-1].removeprefix(_ANSWER))
    return Verified(**answer)


def main(archive: str, asked: str) -> None:
    """Answer, in one line, how far the predictions of an export are from those that are expected."""
    import time

    began = time.monotonic()
    from safetensors import safe_open

    from art_training.errors import ARTError, ProjectError
    from art_training.exported.encoding import NotReached
    from art_training.exported.model import load_model

    try:
        with safe_open(asked, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  It is no mapping.
            batch = decode(json.loads(file.metadata()["batch"]), tensors)
        model = load_model(Path(archive))
        seconds = time.monotonic() - began
        found = model(batch)
        expected = tensors["expected"]
        if found.shape != expected.shape:
            why = f"it predicts the shape {tuple(found.shape)} where {tuple(expected.shape)} was predicted"
            answer = {"difference": None, "why": why, "seconds": seconds}
        else:
            far = float((found.double() - expected.double()).abs().max()) if found.numel() else 0.0
            answer = {"difference": far, "why": "", "seconds": seconds}
    except ARTError as error:
        # A project refuses to run while its file is imported.
        unanswered = isinstance(error, ProjectError | NotReached)
        answer = {"difference": None, "why": str(error), "seconds": time.monotonic() - began, "unanswered": unanswered}
    print(_ANSWER + json.dumps(answer))  # noqa: T201  It is what the other process reads.


if __name__ == "__main__":
    main(*sys.argv[1:])
