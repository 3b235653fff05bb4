import { useEffect, useMemo } from "preact/hooks";
import type { Query } from "../../address";
import {
  CandleFields,
  ExecutionFields,
  ParameterField,
  StrategyFields,
  setter,
} from "../../components/backtest_fields";
import { RuleField } from "../../components/rule_field";
import type { Problems } from "../../execution";
import { specOf, strategyName } from "../../spec";
import { strategies } from "../../state/lists";
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
  const set = setter(onChange);

  return (
    <form
      class="run-form"
      aria-label="Backtest"
      onSubmit={(event) => {
        event.preventDefault();
        onRun();
      }}
    >
      <StrategyFields {...{ query, problemOf, onChange, described }} withRules />
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
      <CandleFields {...{ query, problemOf, onChange }} />
      <ExecutionFields {...{ query, problemOf, onChange }} />
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
