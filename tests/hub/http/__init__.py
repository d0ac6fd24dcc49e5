"""Tests of `hub.http`."""
