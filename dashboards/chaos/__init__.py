"""Break an installation on purpose, for minutes, and hold the truth against what clients were told.

A plan of faults is made from a seed; a director carries it out while clients submit a mixture of tasks; in the end
everything is mended, the work is finished, and a judge sorts every run of every handler.
"""
