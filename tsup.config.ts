import { defineConfig } from 'tsup'

const shared = {
  target: 'es2022',
  sourcemap: true,
  splitting: false,
  // query-core is inlined and reads it, and without a bundler there is no `process`.
  define: { 'process.env.NODE_ENV': '"production"' },
} as const

const entry = {
  index: 'src/index.ts',
  react: 'src/react/index.ts',
  broker: 'src/broker/index.ts',
  testing: 'src/testing/index.ts',
}
const globalEntry = { 'weavy-token.global': 'src/global.ts' }

export default defineConfig([
  {
    ...shared,
    entry,
    dts: {
      entry: { ...entry, ...globalEntry },
      // TypeScript 6 stops on the baseUrl that tsup's declaration build sets.
      compilerOptions: { ignoreDeprecations: '6.0' },
    },
    format: ['esm'],
    // The other entries import the core by its name, so that an app has one.
    external: ['weavy-token'],
  },
  // The command: npx weavy-token check
  { ...shared, entry: { check: 'src/check/index.ts' }, format: ['esm'], platform: 'node' },
  {
    ...shared,
    entry: globalEntry,
    format: ['iife'],
    outExtension: () => ({ js: '.js' }),
    platform: 'browser',
    noExternal: [/.*/],
    minify: true,
    banner: { js: '/*! weavy-token, MIT. Holds @tanstack/query-core, MIT: see THIRD-PARTY-LICENSES.txt */' },
  },
])
