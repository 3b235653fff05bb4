"""Runs: their events, the clients that watch them, and how many there may be."""
