-- Which exchange candles were fetched from, and which hours it was asked for.

SET LOCAL statement_timeout = 0;

ALTER TABLE cryptos
    ADD COLUMN source text COLLATE "C",
    ADD COLUMN asked_hours tstzmultirange NOT NULL DEFAULT '{}';

COMMENT ON COLUMN cryptos.source IS 'the exchange that candles were fetched from; NULL: all were imported';
COMMENT ON COLUMN cryptos.asked_hours IS
    'the exchange was asked for these hours, and has no other candles in them than those that are stored';
