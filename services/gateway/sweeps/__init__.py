"""Sweeps: chunks, tables, and what choosing the best is worth."""
