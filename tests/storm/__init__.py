"""Storms of reconnecting nodes, simulated."""
