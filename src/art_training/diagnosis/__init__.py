"""Orders probes and rules in stages, from the cheapest on."""

from art_training.diagnosis.diagnosing import diagnose_setup
from art_training.diagnosis.result import Diagnosis, Judged

__all__ = ["Diagnosis", "Judged", "diagnose_setup"]
