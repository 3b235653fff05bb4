"""Candle files on their way to the gateway, for the command and the page: sent, and reported on."""
