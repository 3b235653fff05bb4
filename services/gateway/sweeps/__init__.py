"""Sweeps: their chunks, table, ranking, selection bias and optimizer, and the events that clients get."""
