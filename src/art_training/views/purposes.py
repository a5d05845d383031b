"""What each step of the recipe asks, for a reader who does not know it; steps of a user's own speak for themselves."""

PURPOSES = {
    "ExploreData": "Is the data what it is believed to be: clean, without leaks between the splits, and alike in all of them?",
    "Diagnose": "Is something silently wrong with the training set-up that raises no error?",
    "EvaluateBaseline": "What do models reach that are too simple to be wrong, and does the model use its inputs at all?",
    "CheckLossOnInit": "Is the loss of the untrained model what it must be by arithmetic?",
    "OverfitOneBatch": "Can the model learn one batch by heart? If not, something between data, model and loss is broken.",
    "Overfit": "Is the model large enough to fit the training data, and better than the baselines?",
    "TransferLearning": "Does what was learned elsewhere help here, and did only the parts move that were meant to?",
    "Regularize": "Which named change makes validation better, on the same examples and seeds, beyond chance?",
    "Tune": "Which settings are best, once the luck of the best of many trials is taken off?",
    "Squeeze": "What do an ensemble, longer training, distillation and calibration still give, and at what cost?",
    "FinalTest": "How good is the delivered model on examples that no decision has seen?",
}
