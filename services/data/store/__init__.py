"""Candles in PostgreSQL or TimescaleDB: how they are written, read and encoded."""
