"""Candles from and to other places: another table, and dumps."""
