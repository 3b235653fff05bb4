-- Breaks: where the prices of a crypto's history stop being those of the same thing.

SET LOCAL statement_timeout = 0;

CREATE TABLE breaks (
    crypto_id  integer NOT NULL REFERENCES cryptos ON DELETE CASCADE,
    -- Opening times of the last hourly candle before the break and of the first one after it. The break outlives
    -- both where retention drops them.
    before_ts  timestamptz NOT NULL,
    after_ts   timestamptz NOT NULL,
    -- The last price before, and the first one after.
    close      double precision NOT NULL,
    open       double precision NOT NULL,
    -- detected: found by an import; confirmed: set by a person; removed: set by a person, it is no break.
    state      text NOT NULL CHECK (state IN ('detected', 'confirmed', 'removed')),
    PRIMARY KEY (crypto_id, after_ts)
);

-- The breaks of what is stored already are found by services/data/schema/find_stored_breaks.py, crypto by crypto.
ALTER TABLE cryptos ADD COLUMN breaks_found boolean NOT NULL DEFAULT false;

COMMENT ON COLUMN cryptos.breaks_found IS 'the breaks of all of its candles were looked for; imports keep them up to date';

-- Readers get the longer candles that miss hours; there are few.
CREATE INDEX candles_4h_partial ON candles_4h (crypto_id, ts) WHERE candle_count < 4;
CREATE INDEX candles_1d_partial ON candles_1d (crypto_id, ts) WHERE candle_count < 24;
CREATE INDEX candles_1w_partial ON candles_1w (crypto_id, ts) WHERE candle_count < 168;
