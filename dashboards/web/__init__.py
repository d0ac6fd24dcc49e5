"""The web page: static files that a hub serves at `/`. A client of the public API like any other; no code runs here."""
