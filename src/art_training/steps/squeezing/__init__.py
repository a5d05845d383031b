"""What the step Squeeze is made of."""
