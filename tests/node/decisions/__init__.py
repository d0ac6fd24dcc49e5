"""Tests of what the node decides."""
