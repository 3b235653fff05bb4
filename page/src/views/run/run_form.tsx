import { useEffect, useMemo } from "preact/hooks";
import type { Query } from "../../address";
import {
  ParameterType,
  type StrategyParameter,
} from "../../api/stubs/backcast/gateway/v1/strategy_description_pb";
import { CryptoPicker } from "../../components/crypto_picker";
import { ChoiceField, TextField } from "../../components/fields";
import { RuleField } from "../../components/rule_field";
import { EXECUTION_FIELDS, type Problems } from "../../execution";
import { defaultOf, INTERVALS, rangeOf, specOf, strategyName } from "../../spec";
import { cryptos, strategies } from "../../state/lists";
import { parsedRules, parseSoon } from "../../state/rules";

interface Props {
  query: Query;
  /** What is wrong with fields, by name, beside what the form sees itself. */
  problems: Problems;
  underWay: boolean;
  onChange: (changes: Query) => void;
  onRun: () => void;
  onCancel: () => void;
}

/** The form of a backtest. What is typed is the query of the address. */
export function RunForm({ query, problems: refused, underWay, onChange, onRun, onCancel }: Props) {
  const described = strategies.items.value;
  const name = strategyName(query);
  const strategy = described?.find((one) => one.name === name);
  const typed = useMemo(() => specOf(query, described ?? []).problems, [query, described]);
  const problemOf = (field: string) =>
    refused[field] ?? (query[field] === undefined ? undefined : typed[field]);
  const set = (field: string) => (value: string) => onChange({ [field]: value === "" ? undefined : value });
  const executionSet = EXECUTION_FIELDS.filter((field) => query[field.name] !== undefined);

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
    <form
      class="run-form"
      aria-label="Backtest"
      onSubmit={(event) => {
        event.preventDefault();
        onRun();
      }}
    >
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
            { value: "rules", label: "rules that you write" },
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
      {name === "rules" ? (
        <RuleFields query={query} refused={refused} set={set} />
      ) : (
        <div class="fields pairs">
          {strategy?.parameters.map((parameter) => (
            <div key={parameter.name} data-field={`p.${parameter.name}`}>
              <ParameterField
                parameter={parameter}
                value={query[`p.${parameter.name}`] ?? ""}
                problem={problemOf(`p.${parameter.name}`)}
                onChange={set(`p.${parameter.name}`)}
              />
            </div>
          ))}
        </div>
      )}
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
      <div class="row buttons">
        <button type="submit" class="primary">
          {underWay ? "Run anew" : "Run"}
        </button>
        <button type="button" disabled={!underWay} onClick={onCancel}>
          Cancel
        </button>
      </div>
    </form>
  );
}

function ParameterField({
  parameter,
  value,
  problem,
  onChange,
}: {
  parameter: StrategyParameter;
  value: string;
  problem: string | undefined;
  onChange: (value: string) => void;
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
        choices={parameter.choices.map((choice) => ({ value: choice, label: choice }))}
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

function RuleFields({
  query,
  refused,
  set,
}: {
  query: Query;
  refused: Problems;
  set: (field: string) => (value: string) => void;
}) {
  const entry = query.entry ?? "";
  const exit = query.exit ?? "";
  useEffect(() => parseSoon(entry, exit), [entry, exit]);
  const parsed = parsedRules.value;
  const errorOf = (name: "entry" | "exit", text: string) => {
    if (parsed !== undefined && parsed[name] === text) {
      const error = parsed.errors[name];
      if (error !== undefined) return error;
    }
    const sentence = refused[name];
    return sentence === undefined ? undefined : { start: 0, length: text.length, sentence };
  };
  return (
    <div class="fields">
      <div data-field="entry">
        <RuleField
          label="Buy when"
          value={entry}
          placeholder="rsi(14) < 30"
          onChange={set("entry")}
          error={errorOf("entry", entry)}
        />
      </div>
      <div data-field="exit">
        <RuleField
          label="Sell when"
          value={exit}
          placeholder="rsi(14) > 70"
          onChange={set("exit")}
          error={errorOf("exit", exit)}
        />
      </div>
    </div>
  );
}
