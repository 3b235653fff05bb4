"""Runs: their admission, lifecycle, events and record."""
