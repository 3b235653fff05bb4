/** The view Portfolio: one account that trades many cryptos, as a form and what comes of it. */

import "./portfolio.css";
import { useEffect, useRef } from "preact/hooks";
import { address, go, type Query } from "../../address";
import type { PortfolioStarted } from "../../api/stubs/backcast/gateway/v1/portfolio_service_pb";
import { ErrorNotice, ImportLink, Notice } from "../../components/notice";
import { useProblems } from "../../components/use_problems";
import { strategyName } from "../../spec";
import { isStartedHere, newRunId } from "../../started";
import { cryptos, listError, strategies } from "../../state/lists";
import { isUnderWay } from "../../state/phase";
import { portfolio } from "../../state/portfolio";
import { PortfolioForm } from "./portfolio_form";
import { PortfolioResults } from "./portfolio_results";
import { portfolioFieldOf, queryOfPortfolio, requestOf } from "./request";

export default function PortfolioView() {
  const { query } = address.value;
  const { runId, error, started } = portfolio.value;
  const { problems, edit, mark } = useProblems(error, portfolioFieldOf);
  const results = useRef<HTMLDivElement>(null);
  const scrolls = useRef(false);

  useEffect(() => {
    strategies.want();
    cryptos.want();
  }, []);

  // A link, a reload or the way back names the portfolio that is shown.
  useEffect(() => {
    const wanted = query.run ?? query.results ?? "";
    if (wanted === portfolio.peek().runId) return;
    if (wanted === "") portfolio.leave();
    else portfolio.show(wanted, fieldsOfRun(query), restarting, true);
  }, [query.run, query.results]);

  // A portfolio that is watched by its id alone says itself what it is.
  useEffect(() => {
    if (started !== undefined && portfolio.peek().query === undefined) void describe(started);
  }, [started]);

  // On a narrow screen the results are below the form.
  useEffect(() => {
    if (!scrolls.current || started === undefined) return;
    scrolls.current = false;
    if (matchMedia("(max-width: 800px)").matches) results.current?.scrollIntoView();
  }, [started]);

  const start = async () => {
    const { query } = address.peek();
    const asked = await requestOf(query);
    if (mark(asked.problems) || address.peek().view !== "portfolio") return;
    scrolls.current = true;
    const id = newRunId();
    const own = { ...query, run: id, results: undefined, strategy: strategyName(query) };
    portfolio.show(id, own, async () => asked.request, false);
    // With the frame that shows it, not before its request is sent; as on the view Run.
    requestAnimationFrame(() => go("portfolio", own, { replace: query.results !== undefined }));
  };

  const listFailed = listError.value;
  return (
    <main id="main" class="run">
      <PortfolioForm
        query={query}
        problems={problems}
        underWay={isUnderWay(portfolio.value)}
        onChange={edit}
        onSubmit={() => void start()}
        onCancel={() => void portfolio.cancel()}
      />
      <div class="stack" ref={results}>
        {listFailed !== undefined && !listFailed.wantsToken && runId === "" && (
          <ErrorNotice error={listFailed} />
        )}
        {cryptos.items.value?.length === 0 && (
          <Notice
            kind="warning"
            sentence="There are no candles yet."
            advice="Drop files on the view Data, or use the command `backcast import FOLDER`."
          >
            <ImportLink />
          </Notice>
        )}
        {runId === "" ? (
          <div class="nothing quiet">
            <p>
              One account trades all cryptos by the same strategy. Choose how many positions it can have, and
              press Run.
            </p>
          </div>
        ) : (
          <PortfolioResults key={runId} query={query} onRun={() => void start()} />
        )}
      </div>
    </main>
  );
}

/** Return the fields of the portfolio that an address names; undefined if they were edited since, or are not there. */
function fieldsOfRun(query: Query): Query | undefined {
  return query.run === undefined || query.strategy === undefined ? undefined : query;
}

/** What starts the portfolio anew; undefined if another tab has started it, or nothing says what it was. */
async function restarting() {
  const { runId, query } = portfolio.peek();
  if (query === undefined || !isStartedHere(runId)) return undefined;
  const { request, problems } = await requestOf(query);
  return Object.keys(problems).length === 0 ? request : undefined;
}

/** Fill the form with what a portfolio is. */
async function describe(started: PortfolioStarted): Promise<void> {
  const { runId } = portfolio.peek();
  const query = await queryOfPortfolio(started).catch(() => undefined);
  if (query === undefined || portfolio.peek().runId !== runId) return;
  portfolio.describe(query);
  const { view, query: shown } = address.peek();
  // Fields that were edited meanwhile are another portfolio's.
  if (view !== "portfolio" || shown.run !== runId) return;
  go("portfolio", { ...query, run: runId, sort: shown.sort, trades: shown.trades }, { replace: true });
}
