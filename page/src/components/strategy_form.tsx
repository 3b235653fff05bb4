/** The strategy of a form: its name, and its parameters or the rules that are its text. */

import { useEffect } from "preact/hooks";
import type { StrategyDescription } from "../api/stubs/backcast/gateway/v1/strategy_description_pb";
import type { Problems } from "../execution";
import { strategyName } from "../spec";
import { parserOf, type RuleParser } from "../state/rules";
import { type Form, ParameterField, StrategyFields } from "./backtest_fields";
import { RuleField } from "./rule_field";

export function StrategyForm({
  form,
  described,
  refused,
  parser,
}: {
  form: Form;
  described: readonly StrategyDescription[] | undefined;
  /** What the gateway refused, by the name of the field. */
  refused: Problems;
  /** Parses its rules, where a form has several strategies. */
  parser?: RuleParser;
}) {
  const name = strategyName(form.query);
  const strategy = described?.find((one) => one.name === name);
  return (
    <>
      <StrategyFields form={form} described={described} withRules />
      {name === "rules" ? (
        <RuleFields form={form} refused={refused} {...(parser && { parser })} />
      ) : (
        <div class="fields pairs">
          {strategy?.parameters.map((parameter) => (
            <ParameterField key={parameter.name} form={form} parameter={parameter} />
          ))}
        </div>
      )}
    </>
  );
}

export function RuleFields({
  form: { query, field },
  refused,
  parser = parserOf(0),
  examples: [buy, sell] = ["rsi(14) < 30", "rsi(14) > 70"],
}: {
  form: Form;
  refused: Problems;
  parser?: RuleParser;
  /** What to write, for when to buy and when to sell. */
  examples?: readonly [string, string];
}) {
  const entry = query.entry ?? "";
  const exit = query.exit ?? "";
  const { interval } = query;
  useEffect(() => parser.parseSoon(entry, exit, interval), [parser, entry, exit, interval]);
  const parsed = parser.value;
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
      <RuleField {...field("entry")} label="Buy when" placeholder={buy} error={errorOf("entry", entry)} />
      <RuleField {...field("exit")} label="Sell when" placeholder={sell} error={errorOf("exit", exit)} />
    </div>
  );
}
