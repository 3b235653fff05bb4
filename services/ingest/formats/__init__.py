"""The formats of candle files, one module each."""
