"""Transfer of candles: migration from another database, dump and restore."""
