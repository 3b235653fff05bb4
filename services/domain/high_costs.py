"""From where on a cost is mostly a mistyped one, like a fee of 0.1 where 0.1 % is meant."""

HIGH_FEE_RATE = 0.02
HIGH_SLIPPAGE_BPS = 500.0
