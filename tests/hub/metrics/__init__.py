"""Tests of `hub.metrics`."""
