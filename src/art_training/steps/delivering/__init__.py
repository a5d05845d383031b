"""What a step delivers: weights of one training, or of several that are averaged, with a temperature or without."""
