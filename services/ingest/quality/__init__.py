"""The quality of candles: conflicts, repeated rows, gaps, suspicions."""
