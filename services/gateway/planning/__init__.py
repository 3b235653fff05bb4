"""Requests with every default filled in, and all that is checked before a run starts."""
