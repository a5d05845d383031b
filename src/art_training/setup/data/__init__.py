"""Data as a user declares it with `art.data`, and batches of any shape."""
