"""Candles from exchanges: asks for what is missing, within an exchange's limits, and writes it."""
