"""What is kept: one contract, one conformance suite, one backend per database."""
