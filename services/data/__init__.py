"""The data service: stores candles and serves them."""
