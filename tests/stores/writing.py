"""A process that writes runs one after another, and says on its output what is committed.

Started by tests: `python writing.py STORE FIRST COUNT`.
"""

import sys
from dataclasses import replace

import alembic.command  # noqa: F401  Loaded before the first line, so that a test can aim at the making of a store.

from art_training.records import RunStatus
from art_training.stores import Point
from art_training.stores.sql import SqlStore
from art_training.testing.records import a_judgement, a_run, an_outcome


def main(where: str, first: str, count: str) -> None:
    say("ready")
    store = SqlStore(where)
    for number in range(int(first), int(first) + int(count)):
        run = a_run(number)
        store.write(run)
        say("run", run.id)
        store.append(run.id, points=[Point("loss", step, 0, 0.1) for step in range(50)], lines=["a", "b"])
        say("points", run.id)
        store.write(replace(run, status=RunStatus.COMPLETED), an_outcome(accuracy=0.5))
        say("outcome", run.id)
        store.judge(run.id, a_judgement())
        say("judgement", run.id)
    store.close()


def say(*words: str) -> None:
    print(*words, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
