"""Maintenance of the database: compression, retention, statistics."""
