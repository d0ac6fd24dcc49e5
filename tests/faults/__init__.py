"""Each row of what Moorline must survive, with real processes and sockets."""
