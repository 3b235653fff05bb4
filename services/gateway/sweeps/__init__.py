"""Sweeps: their chunks, table, ranking and selection bias, and the events that clients get."""
