import { defineConfig, type Plugin } from "vite";
import { descriptorsAsBytes, enumsWithoutEffects, leanDescriptors, withoutUnused } from "./shrink.ts";

// The types of Node would be those of the page's sources too.
declare const process: {
  env: Record<string, string | undefined>;
  getBuiltinModule(name: "zlib"): { brotliCompressSync(content: string | Uint8Array): Uint8Array };
};
const { brotliCompressSync } = process.getBuiltinModule("zlib");

// `npm run dev` serves the sources, and passes calls on to a web process that BACKCAST_WEB names.
const web = process.env.BACKCAST_WEB ?? "http://127.0.0.1:8080";

/** Beside each file, its content as Brotli: an eighth smaller than gzip, but it takes a second. */
const compressed: Plugin = {
  name: "compressed",
  generateBundle: {
    order: "post",
    handler(_, bundle) {
      for (const file of Object.values(bundle))
        this.emitFile({
          type: "asset",
          fileName: `${file.fileName}.br`,
          source: brotliCompressSync(file.type === "chunk" ? file.code : file.source),
        });
    },
  },
};

export default defineConfig({
  plugins: [descriptorsAsBytes, leanDescriptors, enumsWithoutEffects, withoutUnused, compressed],
  // Elements as calls with their children as arguments: the automatic form has a property for them, and is larger.
  oxc: {
    jsx: { runtime: "classic", pragma: "jsxElement", pragmaFrag: "JsxFragment" },
    jsxInject: 'import { h as jsxElement, Fragment as JsxFragment } from "preact";',
  },
  build: {
    outDir: "../services/web/static",
    emptyOutDir: true,
    target: "es2022",
    // Everything is a file of its own: the Content-Security-Policy allows nothing inline.
    assetsInlineLimit: 0,
    // Every browser that the target names has it.
    modulePreload: { polyfill: false },
    // The styles of all views are 4 kB together.
    cssCodeSplit: false,
    reportCompressedSize: false,
    rolldownOptions: {
      // Brotli takes most of a build's time, which needs no warning.
      checks: { bundlerTimings: false },
      output: {
        codeSplitting: {
          includeDependenciesRecursively: false,
          // A view's file has what no other view needs. By itself, the bundler makes a file of each set of views that
          // share something: a dozen small ones, which compress worse.
          groups: [
            { name: "charts", test: /lightweight-charts|[\\/]src[\\/]charts[\\/]/, minShareCount: 2 },
            { name: "shared", minShareCount: 2 },
          ],
        },
      },
    },
  },
  server: {
    proxy: { "^/(backcast\\.|import)": { target: web, changeOrigin: true } },
  },
});
