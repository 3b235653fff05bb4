"""What everything is about: candles, symbols, intervals, times, errors. Pure."""
