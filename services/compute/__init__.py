"""The compute service: runs backtests and sweeps on worker processes."""
