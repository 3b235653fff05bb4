import { useMemo } from "preact/hooks";
import type { Query } from "../../address";
import {
  ParameterType,
  type StrategyDescription,
  type StrategyParameter,
} from "../../api/stubs/backcast/gateway/v1/strategy_description_pb";
import {
  BacktestForm,
  CandleFields,
  ExecutionFields,
  type Form,
  type FormProps,
  formOf,
  ParameterField,
  StrategyFields,
} from "../../components/backtest_fields";
import { ChoiceField, TextField } from "../../components/fields";
import { RuleFields } from "../../components/strategy_form";
import { count, counted } from "../../format";
import { METRICS } from "../../metrics";
import { defaultOf, rangeOf, specOf, strategyName, symbolsOf } from "../../spec";
import { cryptos, strategies } from "../../state/lists";
import { placeholdersOf, strayRanges } from "./placeholders";
import { isRange, suggestedRanges } from "./ranges";
import { combinationsOf, fixedQuery, rankMetric } from "./request";

/** The form of a sweep. What is typed is the query of the address. */
export function SweepForm(props: FormProps) {
  const { query } = props;
  const described = strategies.items.value;
  const combinations = combinationsOf(query);
  const ofSpec = useMemo(() => specOf(fixedQuery(query), described ?? []).problems, [query, described]);
  const form = formOf(props, { ...ofSpec, ...combinations.problems });
  return (
    <BacktestForm {...props} label="Sweep" action="Sweep">
      <StrategyFields form={form} described={described} withRules />
      {strategyName(query) === "rules" ? (
        <>
          <RuleFields form={form} refused={props.problems} examples={["rsi({n}) < {low}", "rsi({n}) > 70"]} />
          <PlaceholderFields form={form} />
        </>
      ) : (
        <ParameterRanges form={form} described={described} unswept={combinations.count === 0} />
      )}
      <CandleFields form={form} />
      <div class="fields pairs">
        <ChoiceField
          {...form.field("metric")}
          label="Rank by"
          value={rankMetric(query).name}
          onChange={(name) => form.change({ metric: name === "sharpe_ratio" ? undefined : name })}
          help="The metric of which the best combination is looked for."
          choices={METRICS.map(({ name, label }) => ({ value: name, label }))}
        />
        <TextField
          {...form.field("min_trades")}
          label="At least trades"
          placeholder="1"
          help="Combinations with a smaller median number of trades have no rank."
          numeric
        />
        <CutFields form={form} />
      </div>
      <ExecutionFields form={form} />
      <p class="quiet summary-line" aria-live="polite">
        {sizeWords(combinations.count, query)}
      </p>
    </BacktestForm>
  );
}

function ParameterRanges({
  form,
  described,
  unswept,
}: {
  form: Form;
  described: readonly StrategyDescription[] | undefined;
  /** True if no parameter has several values yet. */
  unswept: boolean;
}) {
  const strategy = described?.find(({ name }) => name === strategyName(form.query));
  if (strategy === undefined || strategy.parameters.length === 0) return null;
  return (
    <>
      <div class="fields pairs">
        {strategy.parameters.map((parameter) => (
          <RangeField key={parameter.name} form={form} parameter={parameter} />
        ))}
      </div>
      <p class="quiet summary-line">
        Several values: <code>5,7,9</code> or <code>5..30:5</code>.{" "}
        {unswept && (
          <button type="button" class="link" onClick={() => form.change(suggestedRanges(strategy))}>
            Fill in ranges
          </button>
        )}
      </p>
    </>
  );
}

/** A field for each placeholder of the rules, and for values whose placeholder is in the rules no more. */
function PlaceholderFields({ form }: { form: Form }) {
  const names = [...placeholdersOf(form.query), ...strayRanges(form.query)];
  return (
    <>
      <div class="fields pairs">
        {names.map((name) => (
          <TextField
            key={name}
            {...form.field(`p.${name}`)}
            label={`{${name}}`}
            placeholder="5..30:5"
            help={`The numbers for {${name}}: 5,7,9 or 5..30:5.`}
          />
        ))}
      </div>
      <p class="quiet summary-line">
        A name in braces is swept, as <code>{"{n}"}</code> in <code>{"rsi({n}) < 30"}</code>.
      </p>
    </>
  );
}

function CutFields({ form: { query, field, change } }: { form: Form }) {
  const cut = query.split !== undefined ? "split" : query.folds !== undefined ? "folds" : "";
  const cuts: Readonly<Record<string, Query>> = {
    "": { split: undefined, folds: undefined },
    split: { split: "70%", folds: undefined },
    folds: { split: undefined, folds: "4" },
  };
  return (
    <>
      <ChoiceField
        label="Test"
        value={cut}
        onChange={(chosen) => change(cuts[chosen]!)}
        help="Whether a part of the window is kept back, to test the choice on."
        choices={[
          { value: "", label: "nothing kept back" },
          { value: "split", label: "the last part" },
          { value: "folds", label: "walk-forward" },
        ]}
      />
      {cut === "split" && (
        <TextField
          {...field("split")}
          label="Share to rank by"
          // An empty field is still a split.
          onChange={(split) => change({ split: split === "" ? " " : split })}
          help="The first part of the window, such as 70%; the rest tests the choice."
        />
      )}
      {cut === "folds" && (
        <TextField
          {...field("folds")}
          label="Folds"
          onChange={(folds) => change({ folds: folds === "" ? " " : folds })}
          help="Number of times that a combination is chosen on one part and tested on the next one."
          numeric
        />
      )}
    </>
  );
}

function RangeField({ form, parameter }: { form: Form; parameter: StrategyParameter }) {
  const field = form.field(`p.${parameter.name}`);
  if (parameter.type !== ParameterType.CHOICE) {
    const usual = defaultOf(parameter);
    return (
      <TextField
        {...field}
        label={parameter.name.replaceAll("_", " ")}
        placeholder={usual}
        help={`${parameter.help} ${rangeOf(parameter)}; by default ${usual}. Several: 5,7,9 or 5..30:5.`}
      />
    );
  }
  const all = parameter.choices.join(",");
  // A list of some of more than two choices can only come from a link: it is shown as it is.
  const some = isRange(field.value) && field.value !== all ? [field.value] : [];
  return <ParameterField form={form} parameter={parameter} more={[all, ...some]} />;
}

function sizeWords(combinations: number, query: Query): string {
  if (combinations === 0) return "";
  const chosen = symbolsOf(query.symbols).length || cryptos.items.value?.length;
  const words = counted(combinations, "combination");
  return chosen === undefined
    ? `${words}.`
    : `${words} on ${counted(chosen, "crypto")}: ${count(combinations * chosen)} trials.`;
}
