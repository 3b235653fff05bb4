-- Candles as integers, longer candles as tables of their own, and a log of what changed when.
--
-- Prices and volumes are ticks of 10^-scale with a scale per crypto; a value that is no whole number of
-- ticks is kept as the inverted bits of its double, and is negative (services/domain/ticks.py explains why).
-- Candles that are stored as doubles are moved by services/data/schema/move_doubles.py.

SET LOCAL statement_timeout = 0;

DROP VIEW candles_4h, candles_1d, candles_1w;
ALTER TABLE candles_1h RENAME TO candles_1h_doubles;
ALTER TABLE candles_1h_doubles RENAME CONSTRAINT candles_1h_pkey TO candles_1h_doubles_pkey;

ALTER TABLE cryptos
    ADD COLUMN price_scale  smallint NOT NULL DEFAULT 0,
    ADD COLUMN volume_scale smallint NOT NULL DEFAULT 0;

COMMENT ON COLUMN cryptos.price_scale IS 'decimals of the crypto''s prices: a price is its ticks / 10^price_scale';
COMMENT ON COLUMN cryptos.volume_scale IS 'decimals of the crypto''s volumes';

CREATE TABLE candles_1h (
    -- No foreign key: only the import writes here, holding the crypto's row, and a check of every candle
    -- would take longer than writing it.
    crypto_id  integer NOT NULL,
    ts         timestamptz NOT NULL,
    open       bigint NOT NULL,
    high       bigint NOT NULL,
    low        bigint NOT NULL,
    close      bigint NOT NULL,
    volume     bigint NOT NULL,
    PRIMARY KEY (crypto_id, ts)
);

COMMENT ON TABLE candles_1h IS 'in ticks; readable_candles_1h has them as numbers';
COMMENT ON COLUMN candles_1h.ts IS 'opening time';

-- Longer candles start on the grid of their length, weeks on Mondays, all in UTC. The import writes them in
-- the transaction that writes the hourly ones. They hold what there is, and outlive the hourly candles.
CREATE TABLE candles_4h (
    crypto_id     integer NOT NULL,
    -- Of how many hourly candles; two bytes that alignment would leave empty.
    candle_count  smallint NOT NULL,
    ts            timestamptz NOT NULL,
    open          bigint NOT NULL,
    high          bigint NOT NULL,
    low           bigint NOT NULL,
    close         bigint NOT NULL,
    volume        bigint NOT NULL,
    PRIMARY KEY (crypto_id, ts)
);
CREATE TABLE candles_1d (LIKE candles_4h INCLUDING ALL);
CREATE TABLE candles_1w (LIKE candles_4h INCLUDING ALL);

-- One row for each import that changed candles, and for retention.
CREATE TABLE candle_changes (
    change_id     bigint GENERATED ALWAYS AS IDENTITY,
    crypto_id     integer NOT NULL REFERENCES cryptos ON DELETE CASCADE,
    -- The crypto's fingerprint from this change on.
    fingerprint   uuid NOT NULL,
    -- Opening time of the first hourly candle that changed.
    changed_from  timestamptz NOT NULL,
    changed_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (crypto_id, change_id)
);

INSERT INTO candle_changes (crypto_id, fingerprint, changed_from)
SELECT crypto_id, fingerprint, '-infinity' FROM cryptos;

-- When retention and compression were last at work.
CREATE TABLE maintenance (
    task      text PRIMARY KEY,
    ended_at  timestamptz NOT NULL,
    outcome   text NOT NULL
);

CREATE FUNCTION candle_number(ticks bigint, scale smallint) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE
        WHEN ticks >= 0 THEN ticks / power(10::double precision, scale)
        -- The double of the bits: its mantissa times a power of two.
        WHEN ~ticks >> 52 = 0 THEN (~ticks)::double precision / power(2::double precision, 537)
            / power(2::double precision, 537)
        ELSE (1 + (~ticks & 4503599627370495) / 4503599627370496::double precision)
            * power(2::double precision, (~ticks >> 52) - 1023)
    END;

COMMENT ON FUNCTION candle_number IS 'a price or volume, of its ticks and its crypto''s scale';

DO $$
DECLARE
    candles_table text;
BEGIN
    FOREACH candles_table IN ARRAY ARRAY['candles_1h', 'candles_4h', 'candles_1d', 'candles_1w'] LOOP
        EXECUTE format(
            'CREATE VIEW %I AS '
            'SELECT symbol, ts, '
            'candle_number(open, price_scale) AS open, candle_number(high, price_scale) AS high, '
            'candle_number(low, price_scale) AS low, candle_number(close, price_scale) AS close, '
            'candle_number(volume, volume_scale) AS volume '
            'FROM %I JOIN cryptos USING (crypto_id)',
            'readable_' || candles_table, candles_table
        );
    END LOOP;
END
$$;

-- On TimescaleDB, chunks are so long that a crypto fills its batches of 1,000 rows in each. Weeks are few.
DO $$
DECLARE
    candles_table text;
    days integer;
BEGIN
    IF EXISTS (SELECT FROM pg_settings WHERE name = 'timescaledb.max_background_workers') THEN
        FOR candles_table, days IN VALUES ('candles_1h', 365), ('candles_4h', 365), ('candles_1d', 1460) LOOP
            PERFORM create_hypertable(
                candles_table::regclass, by_range('ts', make_interval(days => days)),
                create_default_indexes => false
            );
            EXECUTE format(
                'ALTER TABLE %I SET (timescaledb.enable_columnstore, '
                'timescaledb.segmentby = ''crypto_id'', timescaledb.orderby = ''ts'')',
                candles_table
            );
        END LOOP;
    END IF;
END
$$;
