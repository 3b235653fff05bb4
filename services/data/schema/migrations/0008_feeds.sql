-- The feeds: what is followed every hour, how current it is, and whose turn it is.

CREATE TABLE feeds (
    exchange text COLLATE "C" NOT NULL,
    quote text COLLATE "C" NOT NULL,
    newest_hour timestamptz,
    rechecked_hour timestamptz,
    round_ended_at timestamptz,
    crypto_count integer NOT NULL DEFAULT 0,
    failed_count integer NOT NULL DEFAULT 0,
    left_out_count integer NOT NULL DEFAULT 0,
    failure text NOT NULL DEFAULT '',
    inserted_count bigint NOT NULL DEFAULT 0,
    corrected_count bigint NOT NULL DEFAULT 0,
    failure_count bigint NOT NULL DEFAULT 0,
    ended_symbols text[] NOT NULL DEFAULT '{}',
    turn_hour timestamptz NOT NULL,
    turn_follower text NOT NULL,
    turn_taken_at timestamptz NOT NULL,
    turn_is_done boolean NOT NULL DEFAULT false,
    PRIMARY KEY (exchange, quote)
);

COMMENT ON TABLE feeds IS 'all pairs of a quote currency on an exchange, whose candles are fetched every hour';
COMMENT ON COLUMN feeds.newest_hour IS
    'opens; the exchange was asked for every crypto up to and with this hour, and nothing failed';
COMMENT ON COLUMN feeds.rechecked_hour IS 'newest hour of the last round that asked for 30 days again';
COMMENT ON COLUMN feeds.crypto_count IS 'followed in the last round; the next two, too, are of that round';
COMMENT ON COLUMN feeds.inserted_count IS 'candles of all rounds; the next two, too, are sums';
COMMENT ON COLUMN feeds.ended_symbols IS 'not traded any more, and not asked for again';
COMMENT ON COLUMN feeds.turn_hour IS 'the hour whose round the follower does, or has done';
COMMENT ON COLUMN feeds.turn_taken_at IS 'ten minutes later, another follower may take the turn if it is not done';
