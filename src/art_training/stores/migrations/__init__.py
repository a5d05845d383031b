"""The schema's history, one file a revision; run from code by `migrate`."""
