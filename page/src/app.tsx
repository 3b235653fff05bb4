/** The shell: the header with the views, the view that the address names, and what a broken view shows. */

import { Component, type ComponentChildren, type ComponentType } from "preact";
import { useEffect } from "preact/hooks";
import { address, followLink, href, hrefOfView, type View } from "./address";
import { setToken, tokenWanted } from "./api/transport";
import { ErrorNotice, Notice } from "./components/notice";
import { TokenField } from "./components/token_field";
import { useLoaded } from "./components/use_loaded";
import { loadedView, loadView } from "./views/load";

const NAMES: Readonly<Partial<Record<View, string>>> = {
  run: "Run",
  portfolio: "Portfolio",
  sweep: "Sweep",
  compare: "Compare",
  runs: "Runs",
  data: "Data",
};

export function App() {
  const { view, query } = address.value;
  useEffect(() => {
    document.addEventListener("click", followLink);
    return () => document.removeEventListener("click", followLink);
  }, []);
  useEffect(() => {
    const name = view === "crypto" ? (query.symbol ?? "Crypto") : NAMES[view];
    document.title = view === "run" ? "Backcast" : `${name} – Backcast`;
  }, [view, query.symbol]);
  return (
    <>
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <header class="shell-header">
        <a class="shell-name" href={href("run")}>
          Backcast
        </a>
        <nav aria-label="Views">
          {Object.entries(NAMES).map(([name, label]) => (
            <a key={name} href={hrefOfView(name as View)} aria-current={name === view ? "page" : undefined}>
              {label}
            </a>
          ))}
        </nav>
      </header>
      {tokenWanted.value && <TokenField onEnter={setToken} />}
      <Boundary key={view}>
        <Loaded view={view} />
      </Boundary>
    </>
  );
}

let isFirst = true;

/** A view. If what had the focus went away with the view before, its heading has the focus. */
function Entered({ view: Shown }: { view: ComponentType }) {
  useEffect(() => {
    // The page begins with its header.
    const takes = !isFirst && document.activeElement === document.body;
    isFirst = false;
    const heading = document.querySelector<HTMLElement>("main h1") ?? document.getElementById("main");
    if (!takes || heading === null) return;
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
  }, []);
  return <Shown />;
}

/** A view once it is loaded; until then, why it is not. */
function Loaded({ view }: { view: View }) {
  const known = loadedView(view);
  const { value = known, error } = useLoaded(async () => known ?? loadView(view), []);
  if (value !== undefined) return <Entered view={value} />;
  return (
    <main id="main" aria-busy={error === undefined}>
      {error?.away && <ErrorNotice error={error} />}
      {error?.away === false && (
        <Notice
          kind="error"
          sentence={error.sentence}
          advice="Reload the page: the server may have a newer one."
        >
          <button type="button" onClick={() => location.reload()}>
            Reload
          </button>
        </Notice>
      )}
    </main>
  );
}

/** Shows a sentence in place of a view that has thrown. */
class Boundary extends Component<{ children: ComponentChildren }, { error: string | undefined }> {
  override state = { error: undefined };

  static override getDerivedStateFromError(error: unknown) {
    return { error: error instanceof Error ? error.message : String(error) };
  }

  override render() {
    if (this.state.error === undefined) return this.props.children;
    return (
      <main id="main">
        <Notice
          kind="error"
          sentence={`This view has failed: ${this.state.error}.`}
          advice="This is a bug of the page. Reload it; what was computed is in the cache."
        >
          <button type="button" onClick={() => location.reload()}>
            Reload
          </button>
        </Notice>
      </main>
    );
  }
}
