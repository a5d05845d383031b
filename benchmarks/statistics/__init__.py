"""Are the statistics right? Simulated, where the truth is known."""
