"""What people watch: dashboards and the demo, clients of the public API like anybody else."""
