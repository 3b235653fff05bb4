/** The forms that describe a backtest, and their parts: what they show is the query of the address. */

import type { ComponentChildren } from "preact";
import type { Query } from "../address";
import {
  ParameterType,
  type StrategyDescription,
  type StrategyParameter,
} from "../api/stubs/backcast/gateway/v1/strategy_description_pb";
import { EXECUTION_FIELDS, type Problems } from "../execution";
import { defaultOf, INTERVALS, rangeOf, strategyName } from "../spec";
import { cryptos, strategies } from "../state/lists";
import { CryptoPicker } from "./crypto_picker";
import { ChoiceField, TextField } from "./fields";

/** What a view gives its form. */
export interface FormProps {
  query: Query;
  /** What is wrong with fields, by name, beside what the form sees itself. */
  problems: Problems;
  underWay: boolean;
  onChange: (changes: Query) => void;
  onSubmit: () => void;
  onCancel: () => void;
}

/** What the parts of a form share. */
export interface Form {
  readonly query: Query;
  readonly change: (changes: Query) => void;
  /** Ties a field to its name in the query. */
  readonly field: (name: string) => {
    readonly name: string;
    readonly value: string;
    readonly problem: string | undefined;
    readonly onChange: (value: string) => void;
  };
}

/** Return the form of a query; `typed` is what the form itself sees to be wrong with what is typed. */
export function formOf({ query, problems, onChange }: FormProps, typed: Problems): Form {
  return {
    query,
    change: onChange,
    field: (name) => ({
      name,
      value: query[name] ?? "",
      problem: problems[name] ?? (query[name] === undefined ? undefined : typed[name]),
      onChange: (value) => onChange({ [name]: value === "" ? undefined : value }),
    }),
  };
}

/**
 * The form itself, with its buttons below its fields.
 *
 * The button that starts can be pressed once the lists have been asked for: the fields that they bring move it, and a
 * button that moves under the pointer misses its click.
 */
export function BacktestForm({
  label,
  action,
  underWay,
  onSubmit,
  onCancel,
  children,
}: FormProps & {
  label: string;
  /** The name of the button that starts: Run. */
  action: string;
  children: ComponentChildren;
}) {
  const complete = strategies.answered.value && cryptos.answered.value;
  return (
    <form
      class="run-form"
      aria-label={label}
      onSubmit={(event) => {
        event.preventDefault();
        onSubmit();
      }}
    >
      {children}
      <div class="row buttons">
        <button type="submit" class="primary" disabled={!complete}>
          {underWay ? `${action} anew` : action}
        </button>
        <button type="button" disabled={!underWay} onClick={onCancel}>
          Cancel
        </button>
      </div>
    </form>
  );
}

/** The strategy, and what it does in a sentence; with `withRules`, rules can be written too. */
export function StrategyFields({
  form: { query, field, change },
  described,
  withRules = false,
}: {
  form: Form;
  described: readonly StrategyDescription[] | undefined;
  withRules?: boolean;
}) {
  const name = strategyName(query);
  const strategy = described?.find((one) => one.name === name);
  const choose = (chosen: string) => {
    // Parameters of another strategy would mean something else, or nothing.
    const cleared = Object.fromEntries(
      Object.keys(query)
        .filter((field) => field.startsWith("p."))
        .map((field) => [field, undefined]),
    );
    change({ ...cleared, strategy: chosen });
  };
  return (
    <>
      <ChoiceField
        {...field("strategy")}
        label="Strategy"
        value={name}
        onChange={choose}
        choices={[
          ...(described ?? [{ name }])
            .filter((one) => one.name !== "rules")
            .map((one) => ({ value: one.name, label: one.name.replaceAll("_", " ") })),
          ...(withRules ? [{ value: "rules", label: "rules that you write" }] : []),
        ]}
      />
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
export function CandleFields({ form: { query, field, change } }: { form: Form }) {
  return (
    <>
      <CryptoPicker {...field("symbols")} cryptos={cryptos.items.value} />
      <div class="fields triples">
        <ChoiceField
          {...field("interval")}
          label="Candles"
          value={query.interval ?? "1h"}
          onChange={(value) => change({ interval: value === "1h" ? undefined : value })}
          help="Length of the candles."
          choices={INTERVALS}
        />
        <TextField
          {...field("start")}
          label="From"
          placeholder="year before"
          help="First day of the window, in UTC."
        />
        <TextField
          {...field("end")}
          label="Until"
          placeholder="end of data"
          help="The day after the window, in UTC."
        />
      </div>
    </>
  );
}

/** Everything about fills and sizes, folded away. */
export function ExecutionFields({ form: { query, field } }: { form: Form }) {
  const executionSet = EXECUTION_FIELDS.filter(({ name }) => query[name] !== undefined);
  const shown = EXECUTION_FIELDS.filter(
    ({ name }) => name !== "volatility_period" || query.size_by === "volatility",
  );
  return (
    <details open={executionSet.some(({ name }) => field(name).problem !== undefined) || undefined}>
      <summary>
        Execution
        <span class="quiet">
          {executionSet.length === 0
            ? " long only, fee 0.1 %"
            : ` ${executionSet.map(({ name, label }) => `${label.toLowerCase()} ${query[name]}`).join(", ")}`}
        </span>
      </summary>
      <div class="fields pairs">
        {shown.map(({ name, label, empty, help, choices }) =>
          choices === undefined ? (
            <TextField key={name} {...field(name)} label={label} placeholder={empty} help={help} />
          ) : (
            <ChoiceField key={name} {...field(name)} label={label} help={help} choices={choices} />
          ),
        )}
      </div>
    </details>
  );
}

/** A parameter of a strategy, with its default and its range at hand. */
export function ParameterField({
  form,
  parameter,
  more = [],
}: {
  form: Form;
  parameter: StrategyParameter;
  /** Lists of choices that can be chosen too. */
  more?: readonly string[];
}) {
  const field = form.field(`p.${parameter.name}`);
  const label = parameter.name.replaceAll("_", " ");
  const usual = defaultOf(parameter);
  const help = `${parameter.help} ${rangeOf(parameter)}; by default ${usual}.`;
  if (parameter.type === ParameterType.CHOICE)
    return (
      <ChoiceField
        {...field}
        label={label}
        value={field.value === "" ? usual : field.value}
        onChange={(chosen) => field.onChange(chosen === usual ? "" : chosen)}
        help={help}
        choices={[...parameter.choices, ...more].map((choice) => ({
          value: choice,
          label: choice.replaceAll(",", " and "),
        }))}
      />
    );
  return <TextField {...field} label={label} placeholder={usual} help={help} numeric />;
}
