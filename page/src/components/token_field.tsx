import { useState } from "preact/hooks";

/** Asks for the token of the gateway. It is kept for this tab only. */
export function TokenField({ onEnter }: { onEnter: (token: string) => void }) {
  const [text, setText] = useState("");
  return (
    <form
      class="notice warning token-field"
      onSubmit={(event) => {
        event.preventDefault();
        onEnter(text);
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
        onInput={(event) => setText(event.currentTarget.value)}
      />
      <button type="submit" class="primary" disabled={text.trim() === ""}>
        Use it
      </button>
    </form>
  );
}
