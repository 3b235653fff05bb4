"""Backcast on one machine: embedded PostgreSQL and Valkey, and the supervisor of `backcast up`."""
