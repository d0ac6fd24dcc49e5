"""The HTTP API: what clients ask, and the event stream that answers them."""
