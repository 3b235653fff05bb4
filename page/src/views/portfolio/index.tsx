/** The view Portfolio: one account that trades many cryptos, as a form and what comes of it. */

import "./portfolio.css";
import { address } from "../../address";
import { ListNotices } from "../../components/list_notices";
import { useFollowedRun } from "../../components/use_followed_run";
import { isUnderWay } from "../../state/phase";
import { portfolio } from "../../state/portfolio";
import { PortfolioForm } from "./portfolio_form";
import { PortfolioResults } from "./portfolio_results";
import { portfolioFieldOf, queryOfPortfolio, requestOf } from "./request";

export default function PortfolioView() {
  const { query } = address.value;
  const { runId } = portfolio.value;
  const { problems, edit, results, start } = useFollowedRun(portfolio, {
    view: "portfolio",
    requestOf,
    queryOf: queryOfPortfolio,
    fieldOf: portfolioFieldOf,
    shownBy: ["sort", "trades"],
  });
  return (
    <main id="main" class="run">
      <PortfolioForm
        query={query}
        problems={problems}
        underWay={isUnderWay(portfolio.value)}
        onChange={edit}
        onSubmit={start}
        onCancel={() => void portfolio.cancel()}
      />
      <div class="stack" ref={results}>
        <ListNotices nothingShown={runId === ""} />
        {runId === "" ? <Nothing /> : <PortfolioResults key={runId} query={query} onRun={start} />}
      </div>
    </main>
  );
}

function Nothing() {
  return (
    <div class="nothing quiet">
      <p>
        One account trades all cryptos by the same strategies. Choose how many positions it can have, and
        press Run.
      </p>
    </div>
  );
}
