"""`python -m art_training`."""

from art_training.cli import main

if __name__ == "__main__":
    main()
