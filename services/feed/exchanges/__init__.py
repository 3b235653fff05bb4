"""The exchanges that candles can be fetched from, one module for each."""
