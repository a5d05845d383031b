"""What OverfitOneBatch and Overfit work with: the floor of a loss, capacity, the learning rate, dynamics, repetitions."""
