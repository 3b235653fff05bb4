import { defineConfig, type Plugin } from "vite";

declare const process: { env: Record<string, string | undefined> };

// `npm run dev` serves the sources, and passes calls on to a web process that BACKCAST_WEB names.
const web = process.env.BACKCAST_WEB ?? "http://127.0.0.1:8080";

/**
 * The stubs have their descriptors in base64, in which gzip finds next to no repetition: as the bytes that they stand
 * for, they are a third smaller once they are compressed.
 */
const descriptorsAsBytes: Plugin = {
  name: "descriptors-as-bytes",
  transform: (code, id) =>
    id.includes("/api/stubs/")
      ? code.replace(
          /fileDesc\("([^"]+)"/g,
          (_, text) => `fileDesc(/*@__PURE__*/ btoa(${JSON.stringify(atob(text))})`,
        )
      : undefined,
};

export default defineConfig({
  plugins: [descriptorsAsBytes],
  build: {
    outDir: "../services/web/static",
    emptyOutDir: true,
    target: "es2022",
    // Everything is a file of its own: the Content-Security-Policy allows nothing inline.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: {
    proxy: { "^/(backcast\\.|import)": { target: web, changeOrigin: true } },
  },
});
