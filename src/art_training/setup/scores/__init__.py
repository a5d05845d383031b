"""What a score is: predictions and targets as they are found, losses, metrics, and their intervals."""
