-- Hourly candles once more, in blocks of packed columns: reading a block takes as long as reading one row.

CREATE TABLE packed_hours (
    crypto_id    integer NOT NULL REFERENCES cryptos ON DELETE CASCADE,
    column_name  text COLLATE "C" NOT NULL,
    -- The first of the 876 hours of the block.
    ts           timestamptz NOT NULL,
    -- Of each hour the ticks, little-endian, all in 4 bytes or all in 8; -1 where there is no candle.
    ticks        bytea NOT NULL,
    PRIMARY KEY (crypto_id, column_name, ts)
);

COMMENT ON TABLE packed_hours IS 'the candles of candles_1h, for readers of whole histories';

-- Two blocks fill a page. Compression would gain little, and a table beside this one would be read for each block.
ALTER TABLE packed_hours ALTER COLUMN ticks SET STORAGE PLAIN;

-- What is stored already is packed by services/data/schema/pack_stored_hours.py, crypto by crypto.
ALTER TABLE cryptos
    ADD COLUMN packed_fingerprint uuid,
    ADD COLUMN is_packed boolean NOT NULL
        GENERATED ALWAYS AS (packed_fingerprint IS NOT DISTINCT FROM fingerprint) STORED;

COMMENT ON COLUMN cryptos.packed_fingerprint IS 'the version of the candles that packed_hours has';
COMMENT ON COLUMN cryptos.is_packed IS
    'false where an older version of Backcast has changed the candles since, and packed_hours is out of date';
