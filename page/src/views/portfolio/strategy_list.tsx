import { useEffect, useRef, useState } from "preact/hooks";
import type { StrategyDescription } from "../../api/stubs/backcast/gateway/v1/strategy_description_pb";
import type { Form } from "../../components/backtest_fields";
import { TextField } from "../../components/fields";
import { StrategyForm } from "../../components/strategy_form";
import type { Problems } from "../../execution";
import { parserOf } from "../../state/rules";
import {
  adding,
  MOST_STRATEGIES,
  nameAt,
  removing,
  strategyAt,
  strategyCount,
  weightsOf,
} from "./strategies";

interface Props {
  readonly form: Form;
  readonly described: readonly StrategyDescription[] | undefined;
  /** What the gateway refused, by the name of the field. */
  readonly refused: Problems;
}

/** The strategies of the account with their weights; a single one has no weight. */
export function StrategyList({ form, described, refused }: Props) {
  const { query, change } = form;
  const count = strategyCount(query);
  const list = useRef<HTMLDivElement>(null);
  // What is pressed may go away: the focus goes to the strategy that was added, or to the button that adds one.
  const [focused, setFocused] = useState("");
  useEffect(() => {
    if (focused === "") return;
    list.current?.querySelector<HTMLElement>(focused)?.focus();
    setFocused("");
  }, [focused]);
  const add = () => {
    change(adding(query));
    setFocused(`[data-field="${nameAt(count, "strategy")}"] select`);
  };
  const remove = (index: number) => {
    change(removing(query, index));
    setFocused(".add-strategy");
  };
  return (
    <div class="fields" ref={list}>
      {count === 1 && query.weight === undefined ? (
        <StrategyForm form={form} described={described} refused={refused} />
      ) : (
        Array.from({ length: count }, (_, index) => (
          <WeightedStrategy
            key={index}
            form={form}
            described={described}
            refused={refused}
            index={index}
            count={count}
            onRemove={() => remove(index)}
          />
        ))
      )}
      {count < MOST_STRATEGIES && (
        <div>
          <button type="button" class="add-strategy" onClick={add}>
            Add a strategy
          </button>
        </div>
      )}
    </div>
  );
}

function WeightedStrategy({
  form,
  described,
  refused,
  index,
  count,
  onRemove,
}: Props & { index: number; count: number; onRemove: () => void }) {
  const weight = form.field(nameAt(index, "weight"));
  const others = weightsOf(form.query);
  return (
    <fieldset class="fields weighted-strategy">
      <legend>{`Strategy ${index + 1} of ${count}`}</legend>
      <StrategyForm
        form={formAt(form, index)}
        described={described}
        refused={strategyAt(refused, index) as Problems}
        parser={parserOf(index)}
      />
      <div class="row weight-row">
        <TextField
          {...weight}
          // What is wrong with the sum is wrong with all of them.
          onChange={(typed) => form.change({ ...others, [weight.name]: typed === "" ? undefined : typed })}
          label="Weight"
          placeholder={`${Number((100 / count).toPrecision(3))}%`}
          help="The share of the equity that it trades with: 40% or 0.4. The weights add up to 100 %."
          numeric
        />
        {count > 1 && (
          <button type="button" aria-label={`Remove strategy ${index + 1}`} onClick={onRemove}>
            Remove
          </button>
        )}
      </div>
    </fieldset>
  );
}

/** The form of one of the strategies, as if it were the only one. */
function formAt(form: Form, index: number): Form {
  const { interval } = form.query;
  return {
    query: { ...strategyAt(form.query, index), interval },
    change: (changes) =>
      form.change(
        Object.fromEntries(Object.entries(changes).map(([name, value]) => [nameAt(index, name), value])),
      ),
    field: (name) => form.field(nameAt(index, name)),
  };
}
