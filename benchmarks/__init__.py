"""One file per claim; each runs alone and prints JSON."""
