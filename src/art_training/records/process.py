"""Which process, on which machine: enough to tell later whether it is still alive."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True)
class ProcessId:
    """One process of one machine.

    Attributes:
        host: the machine's name.
        pid: its number there.
        start: when it started, in the kernel's clock ticks; tells a reused number apart. Empty where unknown.
    """

    host: str
    pid: int
    start: str = ""

    @classmethod
    def current(cls) -> Self:
        """This process."""
        return cls(socket.gethostname(), os.getpid(), _start_of(os.getpid()))

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read what `str` wrote; None where it is something else."""
        host, _, rest = text.partition("|")
        pid, _, start = rest.partition("|")
        return cls(host, int(pid), start) if pid.isdigit() else None

    def __str__(self) -> str:
        return f"{self.host}|{self.pid}|{self.start}"

    def alive(self) -> bool | None:
        """Whether it still runs; None where that cannot be told, because it is another machine's."""
        if self.host != socket.gethostname():
            return None
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:  # it exists and belongs to someone else
            pass
        start = _start_of(self.pid)
        return not (self.start and start and self.start != start)


def _start_of(pid: int) -> str:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:  # no /proc on this system
        return ""
    # The command name, in parentheses, may hold anything; what follows its last parenthesis is numbers. The start
    # time is field 22 of the line, see proc(5).
    return text.rpartition(")")[2].split()[19]
