"""The cache in Redis or Valkey: keys, values, and single flight for what is not cached yet."""
