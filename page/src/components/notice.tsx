import type { ComponentChildren } from "preact";
import type { Explanation } from "../api/explain";

interface Props {
  kind: "plain" | "warning" | "error";
  /** What is the case. */
  sentence: string;
  /** What to do about it. */
  advice?: string;
  /** The means to do it: buttons and links. */
  children?: ComponentChildren;
}

/** A sentence about a state of the system, with what to do. Screen readers read it when it appears. */
export function Notice({ kind, sentence, advice = "", children }: Props) {
  return (
    <div class={`notice ${kind}`} role={kind === "error" ? "alert" : "status"}>
      <p>{advice === "" ? sentence : `${sentence} ${advice}`}</p>
      {children}
    </div>
  );
}

/** Leads to where candles are imported. */
export function ImportLink() {
  return (
    <a class="button" href="/data">
      Import candles
    </a>
  );
}

/** Says that something is being cancelled; with an error, that it is not, and why. */
export function Cancelling({ what, error }: { what: string; error: Explanation | undefined }) {
  if (error === undefined) return <Notice kind="plain" sentence={`${what} is being cancelled.`} />;
  const sentence = `${what} is not cancelled${error.away ? " yet" : ""}. ${error.sentence}`;
  return <ErrorNotice error={{ ...error, sentence }} />;
}

/** The notice of an error. */
export function ErrorNotice({ error, children }: { error: Explanation; children?: ComponentChildren }) {
  return (
    <Notice kind={error.away ? "warning" : "error"} sentence={error.sentence} advice={error.advice}>
      {children}
    </Notice>
  );
}
