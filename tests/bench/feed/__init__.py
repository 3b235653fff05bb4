"""How long a fetch and a round of all pairs of a quote currency take, against the exchange's limits."""
