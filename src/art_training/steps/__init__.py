"""The recipe, one step a file."""
