"""Jobs on the candles of many cryptos, their tasks, and the runner that has workers compute them."""
