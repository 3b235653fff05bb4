import { useId, useLayoutEffect, useRef } from "preact/hooks";
import { sentenceOf } from "../api/explain";
import type { RuleError } from "../state/rules";

interface Props {
  /** The name in the query of the address. */
  name: string;
  label: string;
  value: string;
  placeholder: string;
  onChange: (value: string) => void;
  error: RuleError | undefined;
}

/** A field for a rule as text. What is wrong is underlined where it is wrong, and said below. */
export function RuleField({ name, label, value, placeholder, onChange, error }: Props) {
  const id = useId();
  const text = useRef<HTMLTextAreaElement>(null);
  const marks = useRef<HTMLDivElement>(null);
  // The height follows the text.
  useLayoutEffect(() => {
    const area = text.current!;
    area.style.height = "auto";
    area.style.height = `${area.scrollHeight + 2}px`;
  }, [value]);
  return (
    <div class="field" data-field={name}>
      <label for={id}>{label}</label>
      <div class="rule">
        {/* Below the text lies the same text, unseen, whose wrong part is underlined. */}
        <div class="rule-marks" aria-hidden="true" ref={marks}>
          {error === undefined ? value : marked(value, error)}
        </div>
        <textarea
          id={id}
          ref={text}
          rows={1}
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          placeholder={placeholder}
          value={value}
          maxLength={4000}
          aria-invalid={error !== undefined}
          aria-describedby={`${id}-says`}
          onInput={(event) => onChange(event.currentTarget.value)}
          onScroll={(event) => {
            marks.current!.scrollTop = event.currentTarget.scrollTop;
          }}
        />
      </div>
      <p id={`${id}-says`} class="problem" aria-live="polite">
        {error === undefined ? "" : sentenceOf(error.sentence)}
      </p>
    </div>
  );
}

function marked(value: string, { start, length }: RuleError) {
  // Something that is missing at the end is marked behind it.
  const wrong = value.slice(start, start + length);
  return (
    <>
      {value.slice(0, start)}
      <mark>{wrong === "" ? "\u00a0" : wrong}</mark>
      {value.slice(start + length)}
    </>
  );
}
