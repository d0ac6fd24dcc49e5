"""The picture of a fleet on a terminal: what a hub says as frozen values, drawn by a pure function, moved by keys."""
