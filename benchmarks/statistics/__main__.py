"""Coverage of the intervals and the rate of false claims, as a table: `python -m benchmarks.statistics`."""

import argparse
import time
from functools import partial
from itertools import product

from benchmarks.statistics.simulation import ONE_MODEL, comparisons, families, means, scores, searches, shares
from benchmarks.statistics.world import World

# Seeds that hardly matter, that matter as much as the examples do, and that are nearly all that matters.
SHIFTS = {"hardly": 0.03, "some": 0.15, "much": 0.5}

# Candidates, how many of them are better than the reference, examples, seeds.
FAMILIES = (
    (3, 0, 100, 3),
    (3, 0, 360, 3),
    (6, 0, 360, 3),
    (6, 0, 360, 5),
    (10, 0, 360, 10),
    (6, 2, 360, 5),
    (6, 6, 360, 5),
)

PARTS = ("scores", "shares", "means", "loss", "metrics", "gains", "families", "searches")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=1000)
    parser.add_argument("--only", choices=PARTS, action="append")
    given = parser.parse_args()
    wanted = set(given.only or PARTS)
    few = max(200, given.repeats // 2)
    if "scores" in wanted:
        head("Intervals of one score", "metric", "examples")
        for name in ("loss", "accuracy"):
            for count in (16, 30, 100, 360, 1000):
                row((name, count), partial(scores, name, count, given.repeats))
        for name in ("f1", "auroc"):
            for count in (100, 360):
                row((name, count), partial(scores, name, count, few))
    if "shares" in wanted:
        head("Intervals of a share of positions", "alike in a sequence", "share", "sequences")
        for alike, share, count in product((0.0, 0.1, 0.3), (0.7, 0.9, 0.97, 0.99), (16, 40, 200)):
            row((alike, share, count), partial(shares, alike, share, count, given.repeats))
    if "means" in wanted:
        head("Intervals of a loss's mean over trainings", "seeds matter", "ability", "examples", "seeds")
        for told, ability in product(SHIFTS, (1.0, 3.0)):
            world = World(ability=ability, seeds=SHIFTS[told])
            for count, seeds in ((100, 2), (100, 3), (360, 2), (360, 3), (360, 5)):
                row((told, ability, count, seeds), partial(means, count, seeds, few, world=world))
    if "loss" in wanted:
        head("Differences of the loss, recipes alike", "seeds matter", "examples", "seeds")
        for told, shift in SHIFTS.items():
            for count, seeds in product((30, 100, 360, 1000), (2, 3, 5, 10)):
                row(
                    (told, count, seeds),
                    partial(comparisons, "loss", count, seeds, given.repeats, world=World(seeds=shift)),
                )
        for count in (30, 100, 360, 1000):
            row(("-", count, 1), partial(comparisons, "loss", count, 1, given.repeats, world=ONE_MODEL))
    if "metrics" in wanted:
        head("Differences of metrics, recipes alike", "metric", "examples", "seeds")
        for name in ("accuracy", "f1", "auroc"):
            for count, seeds in ((100, 1), (100, 3), (100, 5), (360, 1), (360, 3)):
                world = World(seeds=SHIFTS["some"]) if seeds > 1 else ONE_MODEL
                row((name, count, seeds), partial(comparisons, name, count, seeds, few, world=world))
    if "gains" in wanted:
        head("Differences where one recipe is better", "metric", "examples", "seeds")
        for name in ("loss", "accuracy"):
            for count, seeds in ((100, 3), (360, 3), (360, 5)):
                world = World(seeds=SHIFTS["some"])
                row((name, count, seeds), partial(comparisons, name, count, seeds, few, world=world, gain=0.3))
    if "families" in wanted:
        head("The best of several candidates", "seeds matter", "candidates", "better", "examples", "seeds")
        for told, shift in SHIFTS.items():
            for candidates, better, count, seeds in FAMILIES:
                gains = (0.3,) * better + (0.0,) * (candidates - better)
                row(
                    (told, candidates, better, count, seeds),
                    partial(families, count, seeds, gains, given.repeats, world=World(seeds=shift)),
                )
    if "searches" in wanted:
        head(
            "The winner of a search among trials like the incoming setup",
            "seeds matter",
            "trials",
            "top",
            "examples",
            "seeds",
        )
        for told, shift in SHIFTS.items():
            for trials, top, seeds in ((3, 3, 3), (30, 1, 3), (30, 3, 3), (30, 3, 5), (30, 5, 5), (100, 3, 5)):
                world = World(seeds=shift)
                row((told, trials, top, 360, seeds), partial(searches, 360, seeds, trials, top, few, world=world))


def head(title, *columns):
    print(f"\n## {title}\n")
    names = [*columns, "repeats", "covers 0.95", "99 % band", "inside", "claims", "no interval", "s"]
    print(f"| {' | '.join(names)} |")
    print(f"|{'---|' * len(names)}", flush=True)


def row(cells, work):
    began = time.perf_counter()
    found = work()
    low, high = found.band
    inside = "yes" if found.inside else "above" if found.at_least else "**below**"
    shown = [
        *cells, found.repeats, f"{found.covered:.3f}", f"{low:.3f}-{high:.3f}", inside, f"{found.claimed:.3f}",
        f"{found.missing:.1%}", f"{time.perf_counter() - began:.0f}",
    ]  # fmt: skip
    print(f"| {' | '.join(map(str, shown))} |", flush=True)


if __name__ == "__main__":
    main()
