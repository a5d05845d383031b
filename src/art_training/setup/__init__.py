"""What is trained: the setup, its task, its data, its metrics, and what a result depends on."""
