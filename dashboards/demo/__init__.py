"""The demo: a hub and three nodes do real work, are killed in the middle of it, and the truth is held against what
was told.

Pure: `checker` and `statistics` (what must hold), `scenario` (what happens when), `workload` (what is to be done),
`picture` (how it looks). Shells: `processes`, `services`, `truth_file`, `hub_view`, `screen`; `performance` puts
them together.
"""
