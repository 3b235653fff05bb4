import { useEffect, useMemo } from "preact/hooks";
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
import { RuleField } from "../../components/rule_field";
import type { Problems } from "../../execution";
import { specOf, strategyName } from "../../spec";
import { strategies } from "../../state/lists";
import { parsedRules, parseSoon } from "../../state/rules";

/** The form of a backtest. What is typed is the query of the address. */
export function RunForm(props: FormProps) {
  const { query, problems: refused } = props;
  const described = strategies.items.value;
  const name = strategyName(query);
  const strategy = described?.find((one) => one.name === name);
  const typed = useMemo(() => specOf(query, described ?? []).problems, [query, described]);
  const form = formOf(props, typed);
  return (
    <BacktestForm {...props} label="Backtest" action="Run">
      <StrategyFields form={form} described={described} withRules />
      {name === "rules" ? (
        <RuleFields form={form} refused={refused} />
      ) : (
        <div class="fields pairs">
          {strategy?.parameters.map((parameter) => (
            <ParameterField key={parameter.name} form={form} parameter={parameter} />
          ))}
        </div>
      )}
      <CandleFields form={form} />
      <ExecutionFields form={form} />
    </BacktestForm>
  );
}

function RuleFields({ form: { query, field }, refused }: { form: Form; refused: Problems }) {
  const entry = query.entry ?? "";
  const exit = query.exit ?? "";
  const { interval } = query;
  useEffect(() => parseSoon(entry, exit, interval), [entry, exit, interval]);
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
      <RuleField
        {...field("entry")}
        label="Buy when"
        placeholder="rsi(14) < 30"
        error={errorOf("entry", entry)}
      />
      <RuleField
        {...field("exit")}
        label="Sell when"
        placeholder="rsi(14) > 70"
        error={errorOf("exit", exit)}
      />
    </div>
  );
}
