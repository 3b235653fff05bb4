"""Tasks on the candles of many cryptos, and their results in the order in which they complete."""
