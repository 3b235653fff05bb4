import { Fragment } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { type Explanation, explain } from "../../api/explain";
import { allFeeds, fetches as service } from "../../api/feeds";
import type { Feed } from "../../api/stubs/backcast/marketdata/v1/feed_pb";
import { type Fetch, FetchState } from "../../api/stubs/backcast/marketdata/v1/fetch_pb";
import { tokenWanted } from "../../api/transport";
import { ErrorNotice } from "../../components/notice";
import { useLoaded } from "../../components/use_loaded";
import { ABSENT, count, counted, lasting, secondsOf, time } from "../../format";
import { cryptos } from "../../state/lists";
import { FetchForm } from "./fetch_form";

const [BUSY_MS, QUIET_MS] = [1000, 15_000];
const MOST_SHOWN = 10;
/** As the alert has it: a round is late, and the next one did not make up for it. */
const LATE_S = 2 * 3600;

const STATES: Readonly<Record<FetchState, string>> = {
  [FetchState.UNSPECIFIED]: "unknown",
  [FetchState.PENDING]: "waits",
  [FetchState.RUNNING]: "running",
  [FetchState.SUCCEEDED]: "done",
  [FetchState.FAILED]: "failed",
  [FetchState.CANCELLED]: "cancelled",
};

const idOf = (fetchId: string) => `fetch-${fetchId}`;
const isUnderWay = ({ state }: Fetch) => state === FetchState.PENDING || state === FetchState.RUNNING;

/** The exchanges that are followed, and fetches from exchanges: those that are under way, and how to start one. */
export function FeedsPanel() {
  const [turn, setTurn] = useState(0);
  const [refused, setRefused] = useState<Explanation>();
  const again = () => setTurn((times) => times + 1);
  const [created, setCreated] = useState("");
  const { value, error: unlisted } = useLoaded(
    async (signal) => {
      const [feeds, { fetches, exchanges }] = await Promise.all([
        allFeeds(signal),
        service.listFetches({ pageSize: MOST_SHOWN }, { signal }),
      ]);
      return { feeds, fetches, exchanges };
    },
    [],
    turn,
  );
  const underWay = value?.fetches.filter(isUnderWay).length ?? 0;
  useEffect(() => {
    const timer = setInterval(() => !document.hidden && again(), underWay > 0 ? BUSY_MS : QUIET_MS);
    return () => clearInterval(timer);
  }, [underWay]);
  // What a fetch has brought shows below.
  useEffect(() => void cryptos.reload(), [underWay]);

  // Whoever has started a fetch goes on at its place in the list, once it is there.
  useEffect(() => {
    const item = created === "" ? null : document.getElementById(idOf(created));
    if (item === null) return;
    if (document.activeElement?.closest(".fetch-form")) item.focus();
    setCreated("");
  }, [created, value]);

  const cancel = ({ fetchId }: Fetch) =>
    service.cancelFetch({ fetchId }).then(
      () => {
        setRefused(undefined);
        again();
      },
      (failed: unknown) => {
        const why = explain(failed);
        if (why.wantsToken) tokenWanted.value = true;
        // Fetches are listed again by themselves, and not cancelled by themselves.
        setRefused(why.away ? { ...why, advice: "The fetch may not be cancelled: try again." } : why);
      },
    );

  const error = refused ?? unlisted;
  return (
    <section class="panel stack" aria-label="Feeds">
      <h2>Feeds</h2>
      {error !== undefined && !error.wantsToken && <ErrorNotice error={error} />}
      {value?.feeds.length === 0 && (
        <p class="quiet">
          No exchange is followed. <code>backcast up --follow binance</code> fetches new candles every hour.
        </p>
      )}
      {value !== undefined && value.feeds.length > 0 && <Feeds feeds={value.feeds} />}
      {value !== undefined && value.fetches.length > 0 && (
        <ol class="fetches">
          {value.fetches.map((one) => (
            <FetchItem key={one.fetchId} shown={one} onCancel={() => void cancel(one)} />
          ))}
        </ol>
      )}
      {value !== undefined && (
        <FetchForm
          exchanges={value.exchanges}
          onCreated={(fetchId) => {
            setCreated(fetchId);
            again();
          }}
        />
      )}
    </section>
  );
}

function Feeds({ feeds }: { feeds: readonly Feed[] }) {
  return (
    <div class="scrolls">
      <table>
        <thead>
          <tr>
            <th scope="col" class="left">
              Feed
            </th>
            <th scope="col" class="left" title="Opening time, in UTC.">
              Newest hour
            </th>
            <th
              scope="col"
              title="Time since the end of the newest hour. It grows to an hour between two rounds."
            >
              Lag
            </th>
            <th scope="col">Cryptos</th>
            <th scope="col" title="Cryptos that failed in the last round.">
              Failed
            </th>
            <th scope="col" title="Pairs whose stored candles cannot be continued with this exchange's.">
              Left out
            </th>
            <th scope="col">Inserted</th>
            <th scope="col" title="Candles that the exchange has corrected.">
              Corrected
            </th>
            <th scope="col" title="Rounds in which something failed.">
              Failures
            </th>
          </tr>
        </thead>
        <tbody>
          {feeds.map((feed) => (
            <Fragment key={`${feed.exchange} ${feed.quote}`}>
              <FeedRow feed={feed} />
              {feed.failure !== "" && (
                <tr>
                  <td colSpan={9} class={`left feed-failure ${feed.failedCount > 0 ? "problem" : "quiet"}`}>
                    {feed.failure}
                  </td>
                </tr>
              )}
            </Fragment>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function lag(seconds: number): string {
  const days = Math.floor(seconds / 86_400);
  return days < 2 ? lasting(1000 * seconds) : counted(days, "day");
}

function FeedRow({ feed }: { feed: Feed }) {
  const { newestHourTime: newest } = feed;
  const lagS = Math.max(Date.now() / 1000 - secondsOf(newest) - 3600, 0);
  return (
    <tr>
      <th scope="row" class="left">
        {feed.exchange} {feed.quote}
      </th>
      <td class="left">{newest === undefined ? ABSENT : time(secondsOf(newest))}</td>
      <td class={newest !== undefined && lagS > LATE_S ? "loss" : undefined}>
        {newest === undefined ? "no round yet" : lag(lagS)}
      </td>
      <td>{count(feed.cryptoCount)}</td>
      <td class={feed.failedCount > 0 ? "loss" : undefined}>{count(feed.failedCount)}</td>
      <td>{count(feed.leftOutCount)}</td>
      <td>{count(feed.insertedCount)}</td>
      <td>{count(feed.correctedCount)}</td>
      <td>{count(feed.failureCount)}</td>
    </tr>
  );
}

function FetchItem({ shown, onCancel }: { shown: Fetch; onCancel: () => void }) {
  const item = useRef<HTMLLIElement>(null);
  const { spec, state, error, progress } = shown;
  const [done, all] = [progress?.doneCount ?? 0, progress?.cryptoCount ?? 0];
  const failures = progress?.failures ?? [];
  const name = `${spec?.exchange} ${spec?.quote || spec?.symbols.join(", ")}`;
  const counts = [
    [progress?.insertedCount, "inserted"],
    [progress?.correctedCount, "corrected"],
    [progress?.unchangedCount, "unchanged"],
  ] as const;
  return (
    <li id={idOf(shown.fetchId)} aria-label={name} tabIndex={-1} ref={item}>
      <p class="row">
        <strong>{name}</strong>
        <span class="quiet">
          from {time(secondsOf(spec?.startTime))}
          {spec?.endTime !== undefined && ` to ${time(secondsOf(spec.endTime))}`}
        </span>
        <span class={`state-${STATES[state]}`}>{STATES[state]}</span>
        {all > 0 && (
          <>
            <progress max={all} value={done} aria-label={`Progress of ${name}`} />
            <span>
              {count(done)} of {counted(all, "crypto")}
            </span>
          </>
        )}
        {isUnderWay(shown) && progress?.reachedTime !== undefined && (
          <span class="quiet">
            {progress.symbol} {time(secondsOf(progress.reachedTime))}
          </span>
        )}
        {counts.map(([number = 0n, what]) =>
          number > 0n ? (
            <span key={what} class="quiet">
              {count(number)} {what}
            </span>
          ) : null,
        )}
        <span class="spring" />
        {isUnderWay(shown) && (
          <button
            type="button"
            aria-label={`Cancel the fetch ${name}`}
            onClick={() => {
              // This button goes away, and with it the focus.
              item.current?.focus();
              onCancel();
            }}
          >
            Cancel
          </button>
        )}
      </p>
      {error !== "" && <p class="problem">{error}</p>}
      {failures.length > 0 && (
        <details>
          <summary class="loss">{counted(progress?.failedCount ?? 0, "crypto")} failed</summary>
          {failures.map(({ symbol, reason }) => (
            <p key={symbol} class="note">
              {reason.startsWith(`${symbol} `) ? reason : `${symbol}: ${reason}`}
            </p>
          ))}
        </details>
      )}
    </li>
  );
}
