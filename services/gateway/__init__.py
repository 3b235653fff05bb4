"""The gateway: checks requests, runs them through the cache and compute, and streams the results."""
