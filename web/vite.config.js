import { defineConfig } from "vite";

// HL_PAGE is where the tests build to, to compare with what is committed.
const outDir = process.env.HL_PAGE ?? "../hlcli/serve/page_built";

export default defineConfig({
  base: "./",
  build: {
    outDir,
    emptyOutDir: true,
    target: "es2022",
    // No hashes in the names: a change of the page is a change of the same three files.
    rollupOptions: {
      output: {
        entryFileNames: "review.js",
        assetFileNames: "review[extname]",
      },
    },
    modulePreload: { polyfill: false },
  },
});
