"""Access to files: text, compression, checksums."""
