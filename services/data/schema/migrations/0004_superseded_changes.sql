-- Which changes are the last one of a part of a crypto's candles, found without reading the others.

SET LOCAL statement_timeout = 0;

ALTER TABLE candle_changes
    -- A later change of the crypto reaches at least as far back: this one is the last of no part any more.
    ADD COLUMN superseded boolean NOT NULL DEFAULT false;

UPDATE candle_changes
SET superseded = true
FROM (
    SELECT crypto_id, change_id, changed_from >= min(changed_from) OVER (
        PARTITION BY crypto_id ORDER BY change_id DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS is_superseded
    FROM candle_changes
) AS compared
WHERE is_superseded
    AND compared.crypto_id = candle_changes.crypto_id AND compared.change_id = candle_changes.change_id;

-- Of those that are left, the later ones begin later: of the candles before a time, the one that begins last
-- before it is the last change.
CREATE INDEX candle_changes_by_time ON candle_changes (crypto_id, changed_from) WHERE NOT superseded;

-- A trigger, so that whoever notes a change, be it a service of an older version, notes this too.
CREATE FUNCTION supersede_changes() RETURNS trigger
    LANGUAGE plpgsql AS $$
BEGIN
    UPDATE candle_changes
    SET superseded = true
    WHERE crypto_id = NEW.crypto_id AND changed_from >= NEW.changed_from AND NOT superseded;
    RETURN NEW;
END
$$;

CREATE TRIGGER supersede_changes BEFORE INSERT ON candle_changes
    FOR EACH ROW EXECUTE FUNCTION supersede_changes();
