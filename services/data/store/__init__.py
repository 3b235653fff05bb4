"""Storage of candles in PostgreSQL or TimescaleDB: writing, reading, encoding."""
