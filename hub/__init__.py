"""The hub: holds sessions, decides, persists. Pure decisions apart from the shells that carry them out."""
