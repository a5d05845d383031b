"""Public conformance suites, fakes and toy data for those who extend ART."""
