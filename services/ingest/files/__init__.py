"""Files as they come: text, compressed, with a checksum beside them."""
