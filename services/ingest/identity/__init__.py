"""Whose candles a file holds, and how long they are."""
