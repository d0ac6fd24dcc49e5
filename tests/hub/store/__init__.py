"""The store: one conformance suite for every backend (`test_conformance_*.py`), and what is special to each."""
