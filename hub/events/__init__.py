"""The live feed: what was committed, to everybody who follows it, in the order of the commits."""
