import { defineConfig, type Plugin } from "vite";
import {
  descriptorsAsBytes,
  enumsWithoutEffects,
  leanDescriptors,
  withoutPreload,
  withoutUnused,
} from "./shrink.ts";

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
  plugins: [
    descriptorsAsBytes,
    leanDescriptors,
    enumsWithoutEffects,
    withoutUnused,
    withoutPreload,
    compressed,
  ],
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
    // All other views are one chunk, which needs no other file first: their style comes with that of the first view.
    modulePreload: false,
    cssCodeSplit: false,
    reportCompressedSize: false,
    // Brotli takes most of a build's time, which needs no warning.
    rolldownOptions: { checks: { bundlerTimings: false } },
  },
  server: {
    proxy: { "^/(backcast\\.|import)": { target: web, changeOrigin: true } },
  },
});
