"""The work of a search: trials within a budget, the best of them on fresh seeds, and what is told of it."""
