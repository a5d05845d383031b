"""Models that were exported: weights in safetensors, and plain data that says how to make the rest again."""
