"""The database's schema, and upgrades of data from older versions."""
