"""What the final test looks at besides the score: the rows, the uses of the split, classes and slices."""
