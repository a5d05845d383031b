"""Transfer: which parameters are frozen, where weights come from, and what became of them."""
