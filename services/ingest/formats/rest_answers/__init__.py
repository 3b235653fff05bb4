"""Saved JSON answers of exchanges' REST calls for candles, one module for each exchange."""
