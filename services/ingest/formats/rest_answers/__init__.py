"""What exchanges answer when they are asked for candles, saved as JSON: one module for each."""
