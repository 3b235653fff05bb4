/** Parts of the forms that describe a backtest: what they show is the query of the address. */

import type { Query } from "../address";
import {
  ParameterType,
  type StrategyDescription,
  type StrategyParameter,
} from "../api/stubs/backcast/gateway/v1/strategy_description_pb";
import { EXECUTION_FIELDS } from "../execution";
import { defaultOf, INTERVALS, rangeOf, strategyName } from "../spec";
import { cryptos } from "../state/lists";
import { CryptoPicker } from "./crypto_picker";
import { ChoiceField, TextField } from "./fields";

interface Props {
  query: Query;
  /** What is wrong with a field, as a sentence. */
  problemOf: (field: string) => string | undefined;
  onChange: (changes: Query) => void;
}

/** Sets a field of the query to what is typed. */
export function setter(onChange: (changes: Query) => void) {
  return (field: string) => (value: string) => onChange({ [field]: value === "" ? undefined : value });
}

/** The strategy, and what it does in a sentence; with `withRules`, rules can be written too. */
export function StrategyFields({
  query,
  problemOf,
  onChange,
  described,
  withRules = false,
}: Props & { described: readonly StrategyDescription[] | undefined; withRules?: boolean }) {
  const name = strategyName(query);
  const strategy = described?.find((one) => one.name === name);
  const choose = (chosen: string) => {
    // Parameters of another strategy would mean something else, or nothing.
    const cleared = Object.fromEntries(
      Object.keys(query)
        .filter((field) => field.startsWith("p."))
        .map((field) => [field, undefined]),
    );
    onChange({ ...cleared, strategy: chosen });
  };
  return (
    <>
      <div class="fields" data-field="strategy">
        <ChoiceField
          label="Strategy"
          value={name}
          onChange={choose}
          problem={problemOf("strategy")}
          choices={[
            ...(described ?? [{ name }])
              .filter((one) => one.name !== "rules")
              .map((one) => ({ value: one.name, label: one.name.replaceAll("_", " ") })),
            ...(withRules ? [{ value: "rules", label: "rules that you write" }] : []),
          ]}
        />
      </div>
      {strategy !== undefined && name !== "rules" && (
        <p class="quiet summary-line">
          {strategy.summary}
          {strategy.entry !== "" && (
            <>
              {" "}
              Buys: <code>{strategy.entry}</code>.
            </>
          )}
          {strategy.exit !== "" && (
            <>
              {" "}
              Sells: <code>{strategy.exit}</code>.
            </>
          )}
        </p>
      )}
    </>
  );
}

/** Cryptos, the length of the candles, and the window. */
export function CandleFields({ query, problemOf, onChange }: Props) {
  const set = setter(onChange);
  return (
    <>
      <div class="fields" data-field="symbols">
        <CryptoPicker
          value={query.symbols ?? ""}
          onChange={set("symbols")}
          cryptos={cryptos.items.value}
          problem={problemOf("symbols")}
        />
      </div>
      <div class="fields triples">
        <div data-field="interval">
          <ChoiceField
            label="Candles"
            value={query.interval ?? "1h"}
            onChange={(value) => onChange({ interval: value === "1h" ? undefined : value })}
            help="Length of the candles."
            problem={problemOf("interval")}
            choices={INTERVALS}
          />
        </div>
        <div data-field="start">
          <TextField
            label="From"
            value={query.start ?? ""}
            onChange={set("start")}
            placeholder="year before"
            help="First day of the window, in UTC."
            problem={problemOf("start")}
          />
        </div>
        <div data-field="end">
          <TextField
            label="Until"
            value={query.end ?? ""}
            onChange={set("end")}
            placeholder="end of data"
            help="The day after the window, in UTC."
            problem={problemOf("end")}
          />
        </div>
      </div>
    </>
  );
}

/** Everything about fills and sizes, folded away. */
export function ExecutionFields({ query, problemOf, onChange }: Props) {
  const set = setter(onChange);
  const executionSet = EXECUTION_FIELDS.filter((field) => query[field.name] !== undefined);
  return (
    <details open={executionSet.some((field) => problemOf(field.name) !== undefined) || undefined}>
      <summary>
        Execution
        <span class="quiet">
          {executionSet.length === 0
            ? " long only, fee 0.1 %"
            : ` ${executionSet.map((field) => `${field.label.toLowerCase()} ${query[field.name]}`).join(", ")}`}
        </span>
      </summary>
      <div class="fields pairs">
        {EXECUTION_FIELDS.filter(
          (field) => field.name !== "volatility_period" || query.size_by === "volatility",
        ).map((field) => (
          <div key={field.name} data-field={field.name}>
            {field.choices === undefined ? (
              <TextField
                label={field.label}
                value={query[field.name] ?? ""}
                onChange={set(field.name)}
                placeholder={field.empty}
                help={field.help}
                problem={problemOf(field.name)}
              />
            ) : (
              <ChoiceField
                label={field.label}
                value={query[field.name] ?? ""}
                onChange={set(field.name)}
                help={field.help}
                problem={problemOf(field.name)}
                choices={field.choices}
              />
            )}
          </div>
        ))}
      </div>
    </details>
  );
}

/** A parameter of a strategy, with its default and its range at hand. */
export function ParameterField({
  parameter,
  value,
  problem,
  onChange,
  more = [],
}: {
  parameter: StrategyParameter;
  value: string;
  problem: string | undefined;
  onChange: (value: string) => void;
  /** Lists of choices that can be chosen too. */
  more?: readonly string[];
}) {
  const label = parameter.name.replaceAll("_", " ");
  const usual = defaultOf(parameter);
  const help = `${parameter.help} ${rangeOf(parameter)}; by default ${usual}.`;
  if (parameter.type === ParameterType.CHOICE)
    return (
      <ChoiceField
        label={label}
        value={value === "" ? usual : value}
        onChange={(chosen) => onChange(chosen === usual ? "" : chosen)}
        help={help}
        problem={problem}
        choices={[...parameter.choices, ...more].map((choice) => ({
          value: choice,
          label: choice.replaceAll(",", " and "),
        }))}
      />
    );
  return (
    <TextField
      label={label}
      value={value}
      onChange={onChange}
      placeholder={usual}
      help={help}
      problem={problem}
      numeric
    />
  );
}
