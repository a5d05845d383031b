"""Probes as they are called, for who names them without loading what they are made of."""

PROBES = ("batches", "statistics", "predictions", "gradients", "activations", "updates")

PROBED = "probe-"
"""What names of files begin with that a probe left: they are of the look, not of the work."""
