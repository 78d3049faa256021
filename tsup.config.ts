import { defineConfig } from 'tsup'

const shared = {
  target: 'es2022',
  sourcemap: true,
  splitting: false,
} as const

const page = { index: 'src/index.ts', tabs: 'src/tabs/index.ts' }
const others = { react: 'src/react/index.ts', broker: 'src/broker/index.ts', testing: 'src/testing/index.ts' }
const globalEntry = { 'weavy-token.global': 'src/global.ts' }

// TypeScript 6 stops on the baseUrl that tsup's declaration build sets.
const compilerOptions = { ignoreDeprecations: '6.0' }

export default defineConfig([
  {
    ...shared,
    // What both need is in one file that both import.
    entry: page,
    splitting: true,
    esbuildOptions: (options) => {
      options.chunkNames = 'shared'
    },
    format: ['esm'],
  },
  {
    ...shared,
    entry: others,
    dts: { entry: { index: page.index, ...others, ...globalEntry }, compilerOptions },
    format: ['esm'],
    // The other entries import the core by its name, so that an app has one.
    external: ['weavy-token'],
  },
  // Apart, because what the namespace of the global build holds must not be shared with anything.
  { entry: { tabs: page.tabs }, dts: { only: true, compilerOptions }, format: ['esm'] },
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
    banner: { js: '/*! weavy-token, MIT */' },
  },
])
