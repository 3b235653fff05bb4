import { useId } from "preact/hooks";

/** One of the values of a field. */
export interface Choice {
  readonly value: string;
  readonly label: string;
}

interface FieldProps {
  label: string;
  /** What is typed. */
  value: string;
  onChange: (value: string) => void;
  help?: string;
  /** What is wrong with what is typed, as a sentence. */
  problem?: string | undefined;
  /** What an empty field means. */
  placeholder?: string | undefined;
  numeric?: boolean;
  list?: string | undefined;
}

/** A field for a line of text. */
export function TextField({ label, value, onChange, help, problem, placeholder, numeric, list }: FieldProps) {
  const id = useId();
  return (
    <div class="field">
      <label for={id} title={help}>
        {label}
      </label>
      <input
        id={id}
        type="text"
        inputMode={numeric ? "decimal" : "text"}
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        list={list}
        placeholder={placeholder}
        value={value}
        aria-invalid={problem !== undefined}
        aria-describedby={`${id}-says`}
        onInput={(event) => onChange(event.currentTarget.value)}
      />
      <Says id={id} help={help} problem={problem} />
    </div>
  );
}

/** A field for one of some values. */
export function ChoiceField({
  label,
  value,
  onChange,
  help,
  problem,
  choices,
}: Omit<FieldProps, "placeholder"> & { choices: readonly Choice[] }) {
  const id = useId();
  return (
    <div class="field">
      <label for={id} title={help}>
        {label}
      </label>
      <select
        id={id}
        value={value}
        aria-invalid={problem !== undefined}
        aria-describedby={`${id}-says`}
        onChange={(event) => onChange(event.currentTarget.value)}
      >
        {choices.map((choice) => (
          <option key={choice.value} value={choice.value}>
            {choice.label}
          </option>
        ))}
      </select>
      <Says id={id} help={help} problem={problem} />
    </div>
  );
}

/** What is wrong with a field or, for screen readers only, what it is for. */
function Says({ id, help, problem }: { id: string; help: string | undefined; problem: string | undefined }) {
  if (problem === undefined)
    return (
      <span id={`${id}-says`} class="unseen">
        {help}
      </span>
    );
  return (
    <p id={`${id}-says`} class="problem">
      {problem}
    </p>
  );
}
