"""How long a fetch of all pairs of a quote currency takes, against what the exchange's limits allow."""
