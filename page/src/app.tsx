/** The shell: the header with the views, the view that the address names, and what a broken view shows. */

import { Component, type ComponentChildren, type ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { address, followLink, href, hrefOfView, type View } from "./address";
import { setToken, tokenWanted } from "./api/transport";
import { Notice } from "./components/notice";
import { TokenField } from "./components/token_field";
import RunView from "./views/run";

// The first view comes with the page; the others come when they are shown.
const LOADERS: Readonly<Record<Exclude<View, "run">, () => Promise<{ default: ComponentType }>>> = {
  crypto: () => import("./views/crypto"),
  sweep: () => import("./views/sweep"),
  compare: () => import("./views/compare"),
  runs: () => import("./views/runs"),
  data: () => import("./views/data"),
};

const NAMES: Readonly<Partial<Record<View, string>>> = {
  run: "Run",
  sweep: "Sweep",
  compare: "Compare",
  runs: "Runs",
  data: "Data",
};

export function App() {
  const { view } = address.value;
  useEffect(() => {
    document.addEventListener("click", followLink);
    return () => document.removeEventListener("click", followLink);
  }, []);
  useEffect(() => {
    document.title = view === "run" ? "Backcast" : `${NAMES[view] ?? "Crypto"} – Backcast`;
  }, [view]);
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
      <Boundary key={view}>{view === "run" ? <RunView /> : <LoadedView view={view} />}</Boundary>
    </>
  );
}

const loaded: Partial<Record<View, ComponentType>> = {};

function LoadedView({ view }: { view: Exclude<View, "run"> }) {
  const [, redraw] = useState(0);
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    let left = false;
    if (loaded[view] !== undefined) return;
    LOADERS[view]().then(
      (module) => {
        loaded[view] = module.default;
        if (!left) redraw((times) => times + 1);
      },
      () => setFailed(true),
    );
    return () => {
      left = true;
    };
  }, [view]);
  const Shown = loaded[view];
  if (Shown !== undefined) return <Shown />;
  if (!failed) return <main id="main" aria-busy="true" />;
  return (
    <main id="main">
      <Notice kind="error" sentence="This view could not be loaded." advice="Reload the page.">
        <button type="button" onClick={() => location.reload()}>
          Reload
        </button>
      </Notice>
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
