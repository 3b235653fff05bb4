import { defineConfig } from "vite";

declare const process: { env: Record<string, string | undefined> };

// `npm run dev` serves the sources, and passes calls on to a web process that BACKCAST_WEB names.
const web = process.env.BACKCAST_WEB ?? "http://127.0.0.1:8080";

export default defineConfig({
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
