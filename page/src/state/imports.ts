/** Files that are imported, one after the other, also while another view is shown. */

import { signal } from "@preact/signals";
import type { Explanation } from "../api/explain";
import { tokenWanted } from "../api/transport";
import { type ImportOptions, type ImportReport, importFile, isReport } from "../api/upload";
import { sleep } from "../sleep";
import { cryptos } from "./lists";

export interface ImportedFile {
  readonly key: number;
  readonly file: File;
  readonly options: ImportOptions;
  /** The share that is sent; 1 while the server reads and writes. Undefined while the file waits. */
  readonly sent: number | undefined;
  readonly report?: ImportReport;
  /** Why nothing was written. */
  readonly refusal?: Explanation;
}

const files = signal<readonly ImportedFile[]>([]);

/** The files in the order in which they came. */
export const imports: { readonly value: readonly ImportedFile[] } = files;

const PAUSE_MS = 2000;

let next = 0;
let working = false;
let stopped = new AbortController();

/** Import files after those that wait already. */
export function addFiles(added: readonly File[], options: ImportOptions): void {
  const waiting = added.map((file) => ({ key: next++, file, options, sent: undefined }));
  files.value = [...files.peek(), ...waiting];
  if (!working) void work();
}

/** Import a file that was refused, with other options. */
export function importAgain(key: number, options: ImportOptions): void {
  const found = files.peek().find((one) => one.key === key);
  if (found === undefined) return;
  files.value = files.peek().filter((one) => one.key !== key);
  addFiles([found.file], options);
}

/** Import no more of the files; what was written stays. */
export function stopImports(): void {
  files.value = files.peek().filter(isDone);
  stopped.abort();
}

/** Forget the reports. */
export function clearImports(): void {
  files.value = files.peek().filter((one) => !isDone(one));
}

export function isDone({ report, refusal }: ImportedFile): boolean {
  return report !== undefined || refusal !== undefined;
}

async function work(): Promise<void> {
  working = true;
  try {
    for (let file = waiting(); file !== undefined; file = waiting()) {
      stopped = new AbortController();
      await one(file);
    }
  } finally {
    working = false;
    void cryptos.reload();
  }
}

function waiting(): ImportedFile | undefined {
  return files.peek().find((file) => !isDone(file));
}

async function one({ key, file, options }: ImportedFile): Promise<void> {
  tell(key, { sent: 0 });
  const { signal } = stopped;
  try {
    const outcome = await importFile(file, options, (sent) => tell(key, { sent }), signal);
    if (isReport(outcome)) {
      tell(key, { report: outcome });
      return;
    }
    if (outcome.retryMs !== undefined) {
      // Others import as many files as the server takes at once: this one stays the next.
      tell(key, { sent: undefined });
      await sleep(outcome.retryMs, signal);
      return;
    }
    if (outcome.wantsToken) tokenWanted.value = true;
    tell(key, { refusal: outcome });
    // The next file is not refused for the same reason at once.
    if (outcome.away) await sleep(PAUSE_MS);
  } catch {
    // It was stopped.
  }
}

function tell(key: number, news: Partial<ImportedFile>): void {
  files.value = files.peek().map((one) => (one.key === key ? { ...one, ...news } : one));
}
