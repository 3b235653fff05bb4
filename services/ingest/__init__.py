"""Readers of candle files: one module per format; `read_file` detects the format."""
