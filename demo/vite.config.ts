import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

export default defineConfig({
  root: here('.'),
  // The pages run what is published.
  resolve: {
    alias: [
      { find: /^weavy-token$/, replacement: here('../dist/index.js') },
      { find: /^weavy-token\/react$/, replacement: here('../dist/react.js') },
      { find: /^weavy-token\/tabs$/, replacement: here('../dist/tabs.js') },
    ],
  },
  build: {
    target: 'es2022',
    // The UIKit is large.
    chunkSizeWarningLimit: 5000,
    emptyOutDir: true,
    rolldownOptions: {
      checks: { moduleLevelDirective: false, pluginTimings: false },
      input: ['index', 'react', 'tabs', 'built-in'].map((page) => here(`${page}.html`)),
    },
  },
})
