"""The database's schema, and upgrades of what older versions stored."""
