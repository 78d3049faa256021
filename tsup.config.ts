import { defineConfig } from 'tsup'

const shared = {
  target: 'es2022',
  sourcemap: true,
  dts: {
    // TypeScript 6 stops on the baseUrl that tsup's declaration build sets.
    compilerOptions: { ignoreDeprecations: '6.0' },
    // Apps whose own `lib` has no Symbol.dispose have to compile with skipLibCheck: false too.
    banner: '/// <reference lib="esnext.disposable" />',
  },
} as const

export default defineConfig([
  {
    ...shared,
    entry: { index: 'src/index.ts', react: 'src/react/index.ts', broker: 'src/broker/index.ts' },
    format: ['esm'],
    external: ['weavy-token'],
  },
  {
    ...shared,
    dts: false,
    entry: { 'weavy-token': 'src/index.ts' },
    format: ['iife'],
    globalName: 'WeavyToken',
    outExtension: () => ({ js: '.global.js' }),
    platform: 'browser',
    noExternal: [/.*/],
    minify: true,
    // There is no bundler behind a script tag: query-core reads process.env.NODE_ENV.
    define: { 'process.env.NODE_ENV': '"production"' },
  },
])
