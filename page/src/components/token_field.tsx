import { useState } from "preact/hooks";

/** Asks for the token of the gateway. It is kept for this tab only. `onEnter` returns what is wrong with a text. */
export function TokenField({ onEnter }: { onEnter: (token: string) => string | undefined }) {
  const [text, setText] = useState("");
  const [problem, setProblem] = useState<string>();
  return (
    <form
      class="notice warning token-field"
      onSubmit={(event) => {
        event.preventDefault();
        setProblem(onEnter(text));
      }}
    >
      <label for="token">
        The gateway wants a token that it knows. It is kept for this tab only, and gone when the tab is
        closed.
      </label>
      <input
        id="token"
        type="password"
        autocomplete="off"
        spellcheck={false}
        value={text}
        aria-invalid={problem !== undefined}
        aria-describedby={problem === undefined ? undefined : "token-problem"}
        onInput={(event) => {
          setText(event.currentTarget.value);
          setProblem(undefined);
        }}
      />
      <button type="submit" class="primary" disabled={text.trim() === ""}>
        Use it
      </button>
      {problem !== undefined && (
        <p id="token-problem" class="problem" role="alert">
          {problem}
        </p>
      )}
    </form>
  );
}
