-- Longer candles, aggregated from the hourly ones. They start on the grid of their length, weeks on
-- Mondays, all in UTC; they hold what there is, and hours that are missing stay missing.
-- Limits on crypto_id reach the index of candles_1h through the grouping.

CREATE VIEW candles_4h AS
    SELECT crypto_id,
           date_bin('4 hours', candles_1h.ts, TIMESTAMPTZ '2001-01-01 00:00+00') AS ts,
           (array_agg(open ORDER BY candles_1h.ts))[1] AS open,
           max(high) AS high,
           min(low) AS low,
           (array_agg(close ORDER BY candles_1h.ts DESC))[1] AS close,
           sum(volume ORDER BY candles_1h.ts) AS volume
    FROM candles_1h
    GROUP BY 1, 2;

CREATE VIEW candles_1d AS
    SELECT crypto_id,
           date_bin('1 day', candles_1h.ts, TIMESTAMPTZ '2001-01-01 00:00+00') AS ts,
           (array_agg(open ORDER BY candles_1h.ts))[1] AS open,
           max(high) AS high,
           min(low) AS low,
           (array_agg(close ORDER BY candles_1h.ts DESC))[1] AS close,
           sum(volume ORDER BY candles_1h.ts) AS volume
    FROM candles_1h
    GROUP BY 1, 2;

-- 2001-01-01 was a Monday.
CREATE VIEW candles_1w AS
    SELECT crypto_id,
           date_bin('7 days', candles_1h.ts, TIMESTAMPTZ '2001-01-01 00:00+00') AS ts,
           (array_agg(open ORDER BY candles_1h.ts))[1] AS open,
           max(high) AS high,
           min(low) AS low,
           (array_agg(close ORDER BY candles_1h.ts DESC))[1] AS close,
           sum(volume ORDER BY candles_1h.ts) AS volume
    FROM candles_1h
    GROUP BY 1, 2;
