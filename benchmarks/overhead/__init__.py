"""What a project's training costs over a plain Trainer and over a bare loop."""
