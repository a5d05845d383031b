"""Examples that the help of each command ends with: what to type, and what for."""

from collections.abc import Mapping

FIRST = (
    ("art demo", "see the whole recipe on a small problem"),
    ("art new my-project --template image", "begin a project of one's own"),
    ("art diagnose train.py:Model --data train.py:Data", "look for silent faults in training code as it is"),
    ("art run", "run the steps of art_project.py that are new or stale"),
    ("art docs", "read on"),
)
"""Of `art` itself."""

EXAMPLES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "dashboard": (
        ("art dashboard", "of the project in this folder"),
        ("art dashboard --store runs/art.db --port 9000 --no-open", "of any store"),
    ),
    "demo": (("art demo", "from the look at the data to the final test"),),
    "diagnose": (
        ("art diagnose", "the setup of the project in this folder"),
        ("art diagnose train.py:Model --data train.py:Data --trainer max_epochs=5", "training code as it is"),
        ("art diagnose --format sarif", "for a code host"),
    ),
    "diff": (
        ("art diff Overfit", "with the run before"),
        ("art diff Overfit~1 Overfit --json", "two runs, for programs"),
    ),
    "docs": (
        ("art docs", "which pages there are"),
        ("art docs stale", "why a step runs again"),
    ),
    "doctor": (("art doctor", "versions, devices, store, and what is wrong with them"),),
    "explain": (("art explain ART402", "what it finds, why it matters, how to silence it"),),
    "export": (
        ("art export Overfit", "pictures, tables and weights, into a folder of that name"),
        ("art export Squeeze deploy --name model.zip", "one file"),
    ),
    "gc": (
        ("art gc --dry-run", "what would be freed"),
        ("art gc", "free it"),
    ),
    "learn": (
        ("art learn", "which tutorials there are"),
        ("art learn digits", "the first of them, as a notebook of one's own"),
        ("art learn debugging lessons --script", "another, as a script, in a folder"),
    ),
    "log": (("art log Overfit", "what was done when, and every warning"),),
    "new": (
        ("art new digits --template image", "a folder with data, model, recipe and tests"),
        ("art new --list", "the templates"),
    ),
    "plan": (("art plan", "what is stale, why, and how long it will take"),),
    "plugins": (
        ("art plugins", "what is offered by name, and by whom"),
        ("art plugins --others --json", "what ART does not ship, for programs"),
    ),
    "report": (
        ("art report", "one page of HTML that needs no network"),
        ("art report --format md -o report.md", "as Markdown"),
    ),
    "rm": (("art rm Overfit~1", "the run before the newest, with what only it used"),),
    "rules": (("art rules", "what a diagnosis looks for"),),
    "run": (
        ("art run", "what is new or stale, until a step does not pass"),
        ("art run --until OverfitOneBatch", "the cheap steps"),
        ("art run --force-step Overfit --probe Overfit:batches", "again, and look at what enters the model"),
        ("art run --quiet", "in CI: the result alone"),
    ),
    "runs": (("art runs --sort validation/accuracy", "the best first"),),
    "show": (
        ("art show Overfit", "the newest run of a step"),
        ("art show Overfit~1 --all", "the one before, with all that there is"),
    ),
    "status": (("art status", "where each step stands, and what to do next"),),
    "verify": (
        ("art verify model.ckpt --standard karpathy", "whether this very file has a record that meets a standard"),
        ("art verify --standard lab.py:STANDARD --format json", "evidence for programs"),
    ),
}
"""By command."""
