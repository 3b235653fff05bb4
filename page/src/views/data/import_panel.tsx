import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { ImportOptions } from "../../api/upload";
import { ChoiceField, TextField } from "../../components/fields";
import { count, counted, percent } from "../../format";
import {
  addFiles,
  clearImports,
  type ImportedFile,
  importAgain,
  imports,
  isDone,
  stopImports,
} from "../../state/imports";
import { droppedFiles } from "./dropped_files";

const RULES = [
  { value: "", label: "replace few, refuse many" },
  { value: "replace", label: "replace the stored ones" },
  { value: "keep", label: "keep the stored ones" },
  { value: "fail", label: "refuse the file" },
];

/** Takes files of candles that are dropped anywhere on the view, or chosen, and shows the report on each. */
export function ImportPanel() {
  const files = useRef<HTMLInputElement>(null);
  const [options, setOptions] = useState<ImportOptions>({ onConflict: "", symbol: "", interval: "" });
  const latest = useRef(options);
  latest.current = options;
  const dragged = useDrop((dropped) => addFiles(dropped, latest.current));
  const set = (field: keyof ImportOptions) => (value: string) => setOptions({ ...options, [field]: value });
  const all = imports.value;
  const done = all.filter(isDone);
  const refused = done.filter(({ refusal }) => refusal !== undefined).length;
  return (
    <section class="panel stack" aria-label="Import">
      <div class={`row drop${dragged ? " dragged" : ""}`}>
        <p>
          <strong>Drop files of candles here</strong>
          <span class="quiet"> or a folder of them: CSV, JSON, Parquet and others, also compressed.</span>
        </p>
        <button type="button" onClick={() => files.current!.click()}>
          Choose files
        </button>
        <input
          ref={files}
          class="unseen"
          type="file"
          multiple
          tabIndex={-1}
          aria-label="Files of candles"
          onChange={({ currentTarget }) => {
            addFiles([...(currentTarget.files ?? [])], options);
            currentTarget.value = "";
          }}
        />
      </div>
      <details>
        <summary>
          Options
          <span class="quiet">{optionWords(options)}</span>
        </summary>
        <div class="data-options">
          <ChoiceField
            label="Candles that are stored with other values"
            value={options.onConflict}
            onChange={set("onConflict")}
            help="By default an import that would change many stored candles is refused: most such files are of another market."
            choices={RULES}
          />
          <TextField
            label="Symbol"
            value={options.symbol}
            onChange={set("symbol")}
            placeholder="that of the file"
            help="The crypto, where the file does not name it."
          />
          <TextField
            // Reports say "give interval".
            label="Interval of its candles"
            value={options.interval}
            onChange={set("interval")}
            placeholder="as its times say"
            help="Such as 1h or 1m, where the file's times do not tell it."
          />
        </div>
      </details>
      {all.length > 0 && (
        <div class="stack imported">
          <div class="row">
            <p role="status">
              {done.length < all.length
                ? `File ${count(done.length + 1)} of ${count(all.length)}`
                : `${counted(done.length - refused, "file")} imported`}
              {refused > 0 && <span class="loss">, {count(refused)} refused</span>}
            </p>
            <span class="spring" />
            {done.length < all.length ? (
              <button type="button" onClick={stopImports}>
                Stop
              </button>
            ) : (
              <button type="button" class="link" onClick={clearImports}>
                Clear the list
              </button>
            )}
          </div>
          <ol>
            {all.map((one) => (
              <li key={one.key}>
                <Report imported={one} />
              </li>
            ))}
          </ol>
        </div>
      )}
    </section>
  );
}

const MOST_NOTES = 10;

/** The report on a file: the same sentences as the command's. */
function Report({ imported }: { imported: ImportedFile }) {
  const { key, file, options, sent, report, refusal } = imported;
  if (report !== undefined) {
    const more = report.notes.length - MOST_NOTES;
    return (
      <>
        <p>
          {report.summary}{" "}
          <span class="quiet">
            ({report.format}, {report.name})
          </span>
        </p>
        {report.notes.slice(0, MOST_NOTES).map((note) => (
          <p key={note} class="note">
            {note}
          </p>
        ))}
        {more > 0 && <p class="note">… and {counted(more, "more line", "more lines")}</p>}
      </>
    );
  }
  if (refusal !== undefined)
    return (
      <>
        <p class="problem" role="alert">
          {file.name}: {refusal.sentence}
        </p>
        <p class="row">
          {refusal.advice !== "" && !refusal.away && <span class="quiet">{refusal.advice}</span>}
          <button type="button" class="link" onClick={() => importAgain(key, options)}>
            Try again
          </button>
          {/on_conflict=replace/.test(refusal.sentence) && (
            <button
              type="button"
              class="link"
              onClick={() => importAgain(key, { ...options, onConflict: "replace" })}
            >
              Replace the stored candles
            </button>
          )}
        </p>
      </>
    );
  return (
    <p class="row">
      <span>{file.name}</span>
      {sent === undefined ? (
        <span class="quiet">waits</span>
      ) : (
        <>
          <progress value={sent < 1 ? sent : undefined} aria-label={`Progress of ${file.name}`} />
          <span class="quiet">{sent < 1 ? `sending, ${percent(sent, 0)}` : "reading and writing"}</span>
        </>
      )}
    </p>
  );
}

function optionWords({ onConflict, symbol, interval }: ImportOptions): string {
  const rule = RULES.find(({ value }) => value === onConflict)?.label;
  const parts = [
    ...(onConflict === "" ? [] : [rule]),
    ...(symbol === "" ? [] : [`symbol ${symbol}`]),
    ...(interval === "" ? [] : [`candles of ${interval}`]),
  ];
  return parts.length === 0 ? "" : ` ${parts.join(", ")}`;
}

/** Take what is dropped on the page while the view is shown; return whether something is dragged over it. */
function useDrop(take: (files: File[]) => void): boolean {
  const [dragged, setDragged] = useState(false);
  useLayoutEffect(() => {
    const over = (event: DragEvent) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      setDragged(true);
    };
    const left = (event: DragEvent) => {
      if (event.relatedTarget === null) setDragged(false);
    };
    const drop = (event: DragEvent) => {
      if (event.dataTransfer === null) return;
      event.preventDefault();
      setDragged(false);
      void droppedFiles(event.dataTransfer).then(take);
    };
    // An element that has just come under the pointer is entered first, and may be dropped on at once.
    addEventListener("dragenter", over);
    addEventListener("dragover", over);
    addEventListener("dragleave", left);
    addEventListener("drop", drop);
    return () => {
      removeEventListener("dragenter", over);
      removeEventListener("dragover", over);
      removeEventListener("dragleave", left);
      removeEventListener("drop", drop);
    };
  }, []);
  return dragged;
}
