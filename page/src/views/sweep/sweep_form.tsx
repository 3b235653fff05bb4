import { useMemo } from "preact/hooks";
import type { Query } from "../../address";
import {
  ParameterType,
  type StrategyParameter,
} from "../../api/stubs/backcast/gateway/v1/strategy_description_pb";
import {
  CandleFields,
  ExecutionFields,
  ParameterField,
  StrategyFields,
  setter,
} from "../../components/backtest_fields";
import { ChoiceField, TextField } from "../../components/fields";
import type { Problems } from "../../execution";
import { count, counted } from "../../format";
import { METRICS } from "../../metrics";
import { defaultOf, rangeOf, specOf, strategyName, symbolsOf } from "../../spec";
import { cryptos, strategies } from "../../state/lists";
import { isRange, suggestedRanges } from "./ranges";
import { combinationsOf, fixedQuery, rankMetric } from "./request";

interface Props {
  query: Query;
  /** What is wrong with fields, by name, beside what the form sees itself. */
  problems: Problems;
  underWay: boolean;
  onChange: (changes: Query) => void;
  onSweep: () => void;
  onCancel: () => void;
}

/** The form of a sweep. What is typed is the query of the address. */
export function SweepForm({ query, problems: refused, underWay, onChange, onSweep, onCancel }: Props) {
  const described = strategies.items.value?.filter((one) => one.name !== "rules");
  const strategy = described?.find((one) => one.name === strategyName(query));
  const combinations = combinationsOf(query, strategy);
  const typed = useMemo(
    () => ({
      ...specOf(fixedQuery(query), described ?? []).problems,
      ...combinationsOf(query, strategy).problems,
    }),
    [query, strategies.items.value],
  );
  const problemOf = (field: string) =>
    refused[field] ?? (query[field] === undefined ? undefined : typed[field]);
  const set = setter(onChange);
  return (
    <form
      class="run-form"
      aria-label="Sweep"
      onSubmit={(event) => {
        event.preventDefault();
        onSweep();
      }}
    >
      <StrategyFields {...{ query, problemOf, onChange, described }} />
      {(strategy?.parameters.length ?? 0) > 0 && (
        <>
          <div class="fields pairs">
            {strategy?.parameters.map((parameter) => (
              <div key={parameter.name} data-field={`p.${parameter.name}`}>
                <RangeField
                  parameter={parameter}
                  value={query[`p.${parameter.name}`] ?? ""}
                  problem={problemOf(`p.${parameter.name}`)}
                  onChange={set(`p.${parameter.name}`)}
                />
              </div>
            ))}
          </div>
          <p class="quiet summary-line">
            Several values: <code>5,7,9</code> or <code>5..30:5</code>.{" "}
            {strategy !== undefined && combinations.count === 0 && (
              <button type="button" class="link" onClick={() => onChange(suggestedRanges(strategy))}>
                Fill in ranges
              </button>
            )}
          </p>
        </>
      )}
      <CandleFields {...{ query, problemOf, onChange }} />
      <div class="fields pairs">
        <div data-field="metric">
          <ChoiceField
            label="Rank by"
            value={rankMetric(query).name}
            onChange={(name) => onChange({ metric: name === "sharpe_ratio" ? undefined : name })}
            help="The metric of which the best combination is looked for."
            problem={problemOf("metric")}
            choices={METRICS.map(({ name, label }) => ({ value: name, label }))}
          />
        </div>
        <div data-field="min_trades">
          <TextField
            label="At least trades"
            value={query.min_trades ?? ""}
            onChange={set("min_trades")}
            placeholder="1"
            help="Combinations with a smaller median number of trades have no rank."
            problem={problemOf("min_trades")}
            numeric
          />
        </div>
        <CutFields query={query} problemOf={problemOf} onChange={onChange} />
      </div>
      <ExecutionFields {...{ query, problemOf, onChange }} />
      <p class="quiet summary-line" aria-live="polite">
        {sizeWords(combinations.count, query)}
      </p>
      <div class="row buttons">
        <button type="submit" class="primary">
          {underWay ? "Sweep anew" : "Sweep"}
        </button>
        <button type="button" disabled={!underWay} onClick={onCancel}>
          Cancel
        </button>
      </div>
    </form>
  );
}

function CutFields({
  query,
  problemOf,
  onChange,
}: {
  query: Query;
  problemOf: (field: string) => string | undefined;
  onChange: (changes: Query) => void;
}) {
  const cut = query.split !== undefined ? "split" : query.folds !== undefined ? "folds" : "";
  const cuts: Readonly<Record<string, Query>> = {
    "": { split: undefined, folds: undefined },
    split: { split: "70%", folds: undefined },
    folds: { split: undefined, folds: "4" },
  };
  return (
    <>
      <div>
        <ChoiceField
          label="Test"
          value={cut}
          onChange={(chosen) => onChange(cuts[chosen]!)}
          help="Whether a part of the window is kept back, to test the choice on."
          choices={[
            { value: "", label: "nothing kept back" },
            { value: "split", label: "the last part" },
            { value: "folds", label: "walk-forward" },
          ]}
        />
      </div>
      {cut === "split" && (
        <div data-field="split">
          <TextField
            label="Share to rank by"
            value={query.split ?? ""}
            // An empty field is still a split.
            onChange={(split) => onChange({ split: split === "" ? " " : split })}
            help="The first part of the window, such as 70%; the rest tests the choice."
            problem={problemOf("split")}
          />
        </div>
      )}
      {cut === "folds" && (
        <div data-field="folds">
          <TextField
            label="Folds"
            value={query.folds ?? ""}
            onChange={(folds) => onChange({ folds: folds === "" ? " " : folds })}
            help="Number of times that a combination is chosen on one part and tested on the next one."
            problem={problemOf("folds")}
            numeric
          />
        </div>
      )}
    </>
  );
}

function RangeField({
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
  if (parameter.type !== ParameterType.CHOICE) {
    const usual = defaultOf(parameter);
    return (
      <TextField
        label={parameter.name.replaceAll("_", " ")}
        value={value}
        onChange={onChange}
        placeholder={usual}
        help={`${parameter.help} ${rangeOf(parameter)}; by default ${usual}. Several: 5,7,9 or 5..30:5.`}
        problem={problem}
      />
    );
  }
  const all = parameter.choices.join(",");
  // A list of some of more than two choices can only come from a link: it is shown as it is.
  const some = isRange(value) && value !== all ? [value] : [];
  return (
    <ParameterField
      parameter={parameter}
      value={value}
      problem={problem}
      onChange={onChange}
      more={[all, ...some]}
    />
  );
}

function sizeWords(combinations: number, query: Query): string {
  if (combinations === 0) return "";
  const chosen = symbolsOf(query.symbols).length || cryptos.items.value?.length;
  const words = counted(combinations, "combination");
  return chosen === undefined
    ? `${words}.`
    : `${words} on ${counted(chosen, "crypto")}: ${count(combinations * chosen)} trials.`;
}
