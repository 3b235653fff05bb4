"""Costs above which a typing error is likely, like a fee of 0.1 instead of 0.1 %.

Apart from the engine, which checks them: the command shows them without importing Numba.
"""

HIGH_FEE_RATE = 0.02
HIGH_SLIPPAGE_BPS = 500.0
