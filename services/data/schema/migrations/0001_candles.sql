-- Cryptos and their hourly candles.

CREATE TABLE cryptos (
    crypto_id     integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    symbol        text COLLATE "C" NOT NULL UNIQUE,
    synthetic     boolean NOT NULL DEFAULT false,
    -- Of the candles; kept by the import, so that listing cryptos reads no candle.
    candle_count  bigint NOT NULL DEFAULT 0,
    first_ts      timestamptz,
    last_ts       timestamptz,
    -- Changes with every change of the candles and never repeats, not even in a new database.
    fingerprint   uuid NOT NULL DEFAULT gen_random_uuid()
);

COMMENT ON COLUMN cryptos.synthetic IS 'the candles were generated and are not a market''s';

CREATE TABLE candles_1h (
    -- No foreign key: only the import writes here, holding the crypto's row, and a check of every candle
    -- would take longer than writing it.
    crypto_id  integer NOT NULL,
    ts         timestamptz NOT NULL,
    open       double precision NOT NULL,
    high       double precision NOT NULL,
    low        double precision NOT NULL,
    close      double precision NOT NULL,
    volume     double precision NOT NULL,
    PRIMARY KEY (crypto_id, ts)
);

COMMENT ON COLUMN candles_1h.ts IS 'opening time';

-- Where the server is TimescaleDB, candles live in a hypertable; everything else is the same.
-- Its settings show that it is loaded; so does shared_preload_libraries, which only superusers may read.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_settings WHERE name = 'timescaledb.max_background_workers') THEN
        CREATE EXTENSION IF NOT EXISTS timescaledb;
        PERFORM create_hypertable(
            'candles_1h', by_range('ts', INTERVAL '3 months'), create_default_indexes => false
        );
    END IF;
END
$$;
