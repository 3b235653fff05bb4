"""The identity of a file: its crypto, and the length of its candles."""
