"""The gateway's clients of the compute and data services."""
