"""The node: dials a hub, holds one session with it, and runs handlers."""
