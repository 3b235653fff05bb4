-- Fetches that clients ask for, and the feed processes that take them up.

CREATE TABLE fetches (
    fetch_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    exchange text COLLATE "C" NOT NULL,
    symbols text[] NOT NULL,
    quote text NOT NULL,
    with_delisted boolean NOT NULL,
    start_at timestamptz NOT NULL,
    end_at timestamptz,
    again boolean NOT NULL,
    state text COLLATE "C" NOT NULL DEFAULT 'pending'
        CHECK (state IN ('pending', 'running', 'succeeded', 'failed', 'cancelled')),
    error text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    begun_at timestamptz,
    finished_at timestamptz,
    fetcher text NOT NULL DEFAULT '',
    leased_until timestamptz,
    crypto_count integer NOT NULL DEFAULT 0,
    done_symbols text[] NOT NULL DEFAULT '{}',
    failed_count integer NOT NULL DEFAULT 0,
    failed_symbols text[] NOT NULL DEFAULT '{}',
    failed_reasons text[] NOT NULL DEFAULT '{}',
    inserted_count bigint NOT NULL DEFAULT 0,
    corrected_count bigint NOT NULL DEFAULT 0,
    unchanged_count bigint NOT NULL DEFAULT 0,
    present_symbol text NOT NULL DEFAULT '',
    reached_at timestamptz
);

CREATE INDEX fetches_created_at ON fetches (created_at);

COMMENT ON TABLE fetches IS 'fetches from exchanges that clients ask for; a feed process does them';
COMMENT ON COLUMN fetches.end_at IS 'NULL: the newest hour that is closed';
COMMENT ON COLUMN fetches.again IS 'asks for all hours, and replaces stored candles';
COMMENT ON COLUMN fetches.fetcher IS 'the feed process that has taken it up last';
COMMENT ON COLUMN fetches.leased_until IS 'after this time, another feed process may take it up';
COMMENT ON COLUMN fetches.done_symbols IS 'cryptos that are done, also those that failed';
COMMENT ON COLUMN fetches.failed_symbols IS 'the first of those that failed; their reasons are in failed_reasons';
COMMENT ON COLUMN fetches.present_symbol IS 'the crypto that has got on last, up to the time reached_at';

CREATE TABLE fetchers (
    fetcher text PRIMARY KEY,
    exchanges text[] NOT NULL,
    seen_at timestamptz NOT NULL
);

COMMENT ON TABLE fetchers IS 'the feed processes that take up fetches';
COMMENT ON COLUMN fetchers.seen_at IS 'when it has last asked for a fetch, or recorded one';
