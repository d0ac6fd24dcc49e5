"""The demo: a hub and three nodes do real work, are killed in the middle of it, and the truth is held against what
was told.

Pure: `scenario` (what happens when), `workload` (what is to be done), `picture` (how it looks). Shells: `services`,
`customer`, `screen`; `performance` puts them together. What must hold is judged in `dashboards.installation`.
"""
