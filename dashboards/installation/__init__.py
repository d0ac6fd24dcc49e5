"""A hub and nodes on this machine that are broken on purpose, and the truth about them: what `demo` and `chaos` share.

Pure: `judgement` (what must hold), `truth`, `outages`, `faults`, `statistics`. Shells: `processes`, `fleet`,
`truth_file`, `clients`, `hub_view`, `screens`, `command`.
"""
