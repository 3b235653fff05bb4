"""Conversion between the gateway's messages and its requests and plans. Handlers, runs and sweeps use it."""
