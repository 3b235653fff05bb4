"""Candles from the files that people have: one module per format, `read_file` finds the right one."""
