import { useEffect, useMemo } from "preact/hooks";
import {
  BacktestForm,
  CandleFields,
  ExecutionFields,
  type Form,
  type FormProps,
  formOf,
} from "../../components/backtest_fields";
import { ChoiceField, TextField } from "../../components/fields";
import { RuleField } from "../../components/rule_field";
import type { Problems } from "../../execution";
import { specOf } from "../../spec";
import { strategies } from "../../state/lists";
import { parsedRank, parseRankSoon } from "./rank";
import { ownProblems, usualSize } from "./request";
import { strategyProblems } from "./strategies";
import { StrategyList } from "./strategy_list";

/** The form of a portfolio. What is typed is the query of the address. */
export function PortfolioForm(props: FormProps) {
  const { query, problems } = props;
  const described = strategies.items.value;
  const typed = useMemo(
    () => ({
      ...specOf(query, described ?? []).problems,
      ...strategyProblems(query, described ?? []),
      ...ownProblems(query),
    }),
    [query, described],
  );
  const form = formOf(props, typed);
  return (
    <BacktestForm {...props} label="Portfolio" action="Run">
      <StrategyList form={form} described={described} refused={problems} />
      <AccountFields form={form} refused={problems} />
      <CandleFields form={form} />
      <ExecutionFields form={form} />
    </BacktestForm>
  );
}

/** How the account is divided among the cryptos. */
function AccountFields({ form: { query, field, change }, refused }: { form: Form; refused: Problems }) {
  const text = query.rank ?? "";
  const usual = usualSize(query);
  const { interval } = query;
  useEffect(() => parseRankSoon(text, interval), [text, interval]);
  const parsed = parsedRank.value;
  const said = refused.rank;
  const error =
    parsed?.text === text && parsed.error !== undefined
      ? parsed.error
      : said && { start: 0, length: text.length, sentence: said };
  return (
    <>
      <RuleField
        {...field("rank")}
        label="Enter first where this is highest"
        placeholder="roc(168)"
        error={error || undefined}
      />
      <div class="fields pairs">
        <TextField
          {...field("positions")}
          label="Places"
          placeholder="10"
          help="How many positions there can be at the same time: from 1 to the number of cryptos."
          numeric
        />
        <ChoiceField
          {...field("sizing")}
          label="Size of a position"
          help="An equal share of the equity for each place, or the size that Execution names."
          value={query.sizing ?? usual}
          onChange={(chosen) => change({ sizing: chosen === usual ? undefined : chosen })}
          choices={[
            { value: "equal", label: "Equal share" },
            { value: "execution", label: "As in Execution" },
          ]}
        />
        <TextField
          {...field("rebalance")}
          label="Rebalance every"
          placeholder="never"
          help="Every how many candles positions are brought to their size."
          numeric
        />
        <TextField
          {...field("threshold")}
          label="From a deviation of"
          placeholder="0%"
          help="Positions that are not further from their size are left alone: 10% or 0.1."
        />
        <TextField
          {...field("benchmark")}
          label="Benchmark"
          placeholder="BTCUSDT"
          help="The crypto that the account is compared with, one of its cryptos."
        />
      </div>
    </>
  );
}
