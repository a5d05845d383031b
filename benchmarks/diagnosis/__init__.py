"""What a diagnosis costs: seconds by stage and by probe, and memory beside that of the model's own training."""
