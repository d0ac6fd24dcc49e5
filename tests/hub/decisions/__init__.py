"""Tests of what the hub decides."""
