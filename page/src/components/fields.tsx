import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";
import { count } from "../format";

/** One of the values of a field. */
export interface Choice {
  readonly value: string;
  readonly label: string;
}

interface FieldProps {
  /** The name in the query of the address; absent if the field is not kept there. */
  name?: string;
  label: string;
  /** What is typed. */
  value: string;
  onChange: (value: string) => void;
  help?: string;
  /** What is wrong with what is typed, as a sentence. */
  problem?: string | undefined;
}

interface TextFieldProps extends FieldProps {
  /** What an empty field means. */
  placeholder?: string;
  numeric?: boolean;
}

/** A field for a line of text. */
export function TextField({ value, onChange, placeholder, numeric, ...field }: TextFieldProps) {
  const id = useId();
  return (
    <Labelled id={id} {...field}>
      <input
        id={id}
        type="text"
        inputMode={numeric ? "decimal" : "text"}
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        placeholder={placeholder}
        value={value}
        aria-invalid={field.problem !== undefined}
        aria-describedby={`${id}-says`}
        onInput={(event) => onChange(event.currentTarget.value)}
      />
    </Labelled>
  );
}

/** A field for one of some values. */
export function ChoiceField({
  value,
  onChange,
  choices,
  ...field
}: FieldProps & { choices: readonly Choice[] }) {
  const id = useId();
  return (
    <Labelled id={id} {...field}>
      <select
        id={id}
        value={value}
        aria-invalid={field.problem !== undefined}
        aria-describedby={`${id}-says`}
        onChange={(event) => onChange(event.currentTarget.value)}
      >
        {choices.map((choice) => (
          <option key={choice.value} value={choice.value}>
            {choice.label}
          </option>
        ))}
      </select>
    </Labelled>
  );
}

interface LabelledProps extends Omit<FieldProps, "value" | "onChange"> {
  id: string;
  children: ComponentChildren;
}

/** A control below its label; then what is wrong with it or, for screen readers only, what it is for. */
function Labelled({ id, name, label, help, problem, children }: LabelledProps) {
  return (
    <div class="field" data-field={name}>
      <label for={id} title={help}>
        {label}
      </label>
      {children}
      {problem === undefined ? (
        <span id={`${id}-says`} class="unseen">
          {help}
        </span>
      ) : (
        <p id={`${id}-says`} class="problem">
          {problem}
        </p>
      )}
    </div>
  );
}

interface FilterFieldProps {
  label: string;
  placeholder: string;
  value: string;
  onChange: (value: string) => void;
  /** What is wrong with the filter, as a sentence; empty if nothing is. */
  problem?: string;
  /** Numbers of rows that are shown, and of all. */
  shown: number;
  all: number;
}

/** The filter of a table, and how many rows it lets through. */
export function FilterField({
  label,
  placeholder,
  value,
  onChange,
  problem = "",
  shown,
  all,
}: FilterFieldProps) {
  const id = useId();
  return (
    <>
      <label class="unseen" for={id}>
        {label}
      </label>
      <input
        id={id}
        type="search"
        class="filter"
        autocomplete="off"
        spellcheck={false}
        placeholder={placeholder}
        value={value}
        aria-invalid={problem !== ""}
        aria-describedby={`${id}-says`}
        onInput={(event) => onChange(event.currentTarget.value)}
      />
      <span id={`${id}-says`} class={problem === "" ? "quiet" : "problem"} aria-live="polite">
        {problem || (value === "" ? "" : `${count(shown)} of ${count(all)}`)}
      </span>
    </>
  );
}
