"""What a squeeze calls its models and its scores; nothing here costs an import."""

SINGLE, LONGER, ENSEMBLE, STUDENT, CALIBRATED = "single", "longer", "ensemble", "student", "calibrated"
GAIN = "gain"
GAINS = tuple(f"{name}_{GAIN}" for name in (LONGER, ENSEMBLE, STUDENT, CALIBRATED))
OVER_TEACHER = "gain_over_teacher"
ECE, ECE_BEFORE = "ece", "ece_before"
DIFFERENCE = "export_difference"
