"""Access to files: detection, text, compression, checksums."""
