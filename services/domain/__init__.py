"""Domain types: candles, symbols, intervals, breaks, times, errors. Pure: no I/O, no drivers."""
