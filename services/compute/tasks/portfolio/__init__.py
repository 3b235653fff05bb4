"""Portfolios: the signals of each crypto in a task of its own, then one task that trades them all."""
