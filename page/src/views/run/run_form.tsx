import { useMemo } from "preact/hooks";
import {
  BacktestForm,
  CandleFields,
  ExecutionFields,
  type FormProps,
  formOf,
} from "../../components/backtest_fields";
import { StrategyForm } from "../../components/strategy_form";
import { specOf } from "../../spec";
import { strategies } from "../../state/lists";

/** The form of a backtest. What is typed is the query of the address. */
export function RunForm(props: FormProps) {
  const { query, problems } = props;
  const described = strategies.items.value;
  const typed = useMemo(() => specOf(query, described ?? []).problems, [query, described]);
  const form = formOf(props, typed);
  return (
    <BacktestForm {...props} label="Backtest" action="Run">
      <StrategyForm form={form} described={described} refused={problems} />
      <CandleFields form={form} />
      <ExecutionFields form={form} />
    </BacktestForm>
  );
}
