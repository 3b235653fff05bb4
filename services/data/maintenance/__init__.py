"""What keeps the database small and fast: compression, retention, statistics."""
