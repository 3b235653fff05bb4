"""Cached results in Redis, and who computes what is not cached yet."""
