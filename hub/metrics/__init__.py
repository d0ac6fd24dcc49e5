"""What a hub tells Prometheus."""
