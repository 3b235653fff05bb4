"""Runs: their admission, lifecycle, events and report."""
