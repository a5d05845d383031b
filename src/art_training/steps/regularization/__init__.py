"""The work of Regularize: each candidate under several seeds, compared with the reference, and what is told of it."""
