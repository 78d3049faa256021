import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { describe, expect, test } from 'vitest'
import { TokenError } from '../src/errors.js'
import { consequenceOf, MAX_STRIKES, retryDelayMs } from '../src/schedule.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const guides = existsSync(join(root, 'docs')) ? readdirSync(join(root, 'docs')) : []
const documents = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  ...guides.filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`),
]
const read = (document: string) => readFileSync(join(root, document), 'utf8')

interface Block {
  readonly document: string
  readonly line: number
  readonly language: string
  /** The path that the paragraph above the block begins with, if it does. */
  readonly path: string | undefined
  readonly code: string
}

const blocksOf = (document: string): Block[] => {
  const text = read(document)
  return [...text.matchAll(/^( *)```(\w+)\n(.*?)^\1```$/gms)].map(
    ({ 1: indent = '', 2: language = '', 3: code = '', index }) => {
      const before = text.slice(0, index)
      return {
        document,
        line: before.split('\n').length + 1,
        language,
        path: /^`([\w/.-]+\.tsx?)`.*$/.exec(before.trimEnd().split('\n\n').at(-1) ?? '')?.[1],
        code: code.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
      }
    },
  )
}
const blocks = documents.flatMap(blocksOf)

/** What examples take from the app around them, so that each shows only what the reader writes. */
const APP = `
declare function readSession(request: Request): Promise<{ userId: string; name: string } | null>
declare function readCookie(name: string): string
declare const session: { userId: string }
declare const csrfToken: string
declare module 'prom-client' {
  interface Options {
    name: string
    help: string
    labelNames?: string[]
  }
  export class Counter {
    constructor(options: Options)
    inc(labels?: Record<string, string>): void
  }
  export class Histogram {
    constructor(options: Options)
    observe(labels: Record<string, string>, value: number): void
  }
}
declare module '@opentelemetry/api' {
  type Attributes = Record<string, string | number>
  export const metrics: {
    getMeter(name: string): {
      createCounter(name: string): { add(value: number, attributes?: Attributes): void }
      createHistogram(name: string, options: { unit: string }): { record(value: number, attributes?: Attributes): void }
    }
  }
}
declare module 'next/dynamic' {
  export default function dynamic<T>(load: () => Promise<{ default: T }>, options: { ssr: boolean }): T
}
declare module 'fastify' {
  import type { IncomingMessage, ServerResponse } from 'node:http'
  interface Reply {
    raw: ServerResponse
    hijack(): void
  }
  export default function fastify(): {
    get(path: string, handler: (request: { raw: IncomingMessage }, reply: Reply) => unknown): void
  }
}
declare module 'next/headers' {
  export function headers(): Promise<Headers>
}
declare module 'next/server' {
  export function connection(): Promise<void>
}
declare module 'vue' {
  export function shallowRef<T>(value: T): { value: T }
  export function onScopeDispose(callback: () => void): void
}
declare module 'solid-js' {
  export function createSignal<T>(value: T): [() => T, (value: T) => T]
  export function onCleanup(callback: () => void): void
}
declare module '@angular/core' {
  export interface OnDestroy {
    ngOnDestroy(): void
  }
  export function Injectable(): ClassDecorator
  export function signal<T>(value: T): { (): T; set(value: T): void }
}
declare module 'express-session' {
  import type { RequestHandler } from 'express'
  interface SessionData {}
  export default function session(options: object): RequestHandler
  global {
    namespace Express {
      interface Request {
        session: Partial<SessionData>
      }
    }
  }
}
interface ImportMeta {
  readonly hot?: { dispose(callback: () => void): void }
}
`
const SESSION = `
export declare function readSession(request: { headers: Headers }): Promise<{ userId: string; name: string } | null>
`

/** Compiles every block as a module of its own, in memory; one with a path can be imported from those beside it. */
function typeErrorsOf(examples: readonly Block[]): string[] {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root)
  const place = (document: string, path: string) => join(root, 'examples', document, path)
  const files = new Map(
    examples.map((block) => {
      const { document, line, language, path = `${line}.${language}`, code } = block
      return [place(document, path), { block, text: `${code}\nexport {}\n` }]
    }),
  )
  const support = new Map([[place('', 'app.d.ts'), APP]])
  for (const { document } of examples) support.set(place(document, 'app/session.ts'), SESSION)

  const host = ts.createCompilerHost(options)
  const { getSourceFile, fileExists, readFile, directoryExists } = host
  const textOf = (file: string) => files.get(resolve(file))?.text ?? support.get(resolve(file))
  host.fileExists = (file) => textOf(file) !== undefined || fileExists(file)
  host.readFile = (file) => textOf(file) ?? readFile(file)
  host.directoryExists = (directory) =>
    [...files.keys(), ...support.keys()].some((file) => file.startsWith(`${resolve(directory)}/`)) ||
    Boolean(directoryExists?.(directory))
  host.getSourceFile = (file, target, ...rest) => {
    const text = textOf(file)
    return text === undefined
      ? getSourceFile(file, target, ...rest)
      : ts.createSourceFile(file, text, target, true)
  }

  const program = ts.createProgram([...support.keys(), ...files.keys()], options, host)
  return [...files].flatMap(([file, { block }]) => {
    const source = program.getSourceFile(file)
    if (!source) return [`${block.document}:${block.line} was not compiled`]
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map(
      ({ start = 0, messageText }) =>
        `${block.document}:${block.line + source.getLineAndCharacterOfPosition(start).line} ${ts.flattenDiagnosticMessageText(messageText, ' ')}`,
    )
  })
}

describe('examples', () => {
  test('of TypeScript compile against the source', () => {
    const examples = blocks.filter(({ language }) => language === 'ts' || language === 'tsx')
    expect(examples.length).toBeGreaterThan(5)
    expect(typeErrorsOf(examples)).toEqual([])
  }, 60_000)

  test('with a mistake are told so at its line; a user beside a source is told why', () => {
    const example = (line: number, code: string) => ({
      ...{ document: 'x.md', language: 'tsx', path: undefined },
      line,
      code,
    })
    const [number, user, ...more] = typeErrorsOf([
      example(3, "import 'weavy-token'\nconst n: number = 'one'"),
      example(
        9,
        `import type { TokenSource } from 'weavy-token'
import { WeavyTokenProvider } from 'weavy-token/react'
declare const source: TokenSource
export const app = <WeavyTokenProvider source={source} user="alice" />`,
      ),
    ])
    expect(number).toBe("x.md:4 Type 'string' is not assignable to type 'number'.")
    expect(user).toMatch(/^x.md:12 .*belongs to createTokenSource when a source is given; switch users with/)
    expect(more).toEqual([])
  }, 60_000)

  test('of HTML name files that the package has, and functions that its global has', () => {
    const pages = blocks.filter(({ language }) => language === 'html')
    const entry = read('src/index.ts')
    for (const { code } of pages) {
      for (const [, name] of code.matchAll(/WeavyToken\.(\w+)/g)) expect(entry).toContain(name)
      for (const [, script] of code.matchAll(/src="([^"]*weavy-token[^"]*)"/g))
        expect(script).toMatch(/(^|\/)weavy-token\.global\.js$/)
    }
  })

  test('of shell commands run scripts that there are', () => {
    const { scripts } = JSON.parse(read('package.json'))
    const commands = blocks.filter(({ language }) => language === 'sh').map(({ code }) => code)
    for (const [, name] of commands.join('\n').matchAll(/npm run ([\w:-]+)/g))
      expect(Object.keys(scripts)).toContain(name)
  })
})

describe('troubleshooting quotes, so that a search for what one sees finds it,', () => {
  const page = read('docs/troubleshooting.md').replaceAll(/\s+/g, ' ')
  const heads = [...page.matchAll(/\*\*(.*?)\*\*/g)].map(([, head = '']) => head)
  const quotes = [...page.matchAll(/“([^”]*)”/g)].map(([, quote = '']) => quote)
  const source = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.tsx?$/.test(name))
    .map((name) => read(join('src', name)))
    .join('\n')

  test('this library as it speaks', () => {
    const spans = heads.flatMap((head) => head.split('`').filter((_, n) => n % 2 === 1))
    const ours = spans.filter((span) => span.includes(' ') && span !== 'next build')
    expect(ours.length).toBeGreaterThan(8)
    // What is put in: an option, a hook, a path, a status; and a title ends with a full stop.
    const written = (sentence: string) =>
      sentence.split(/\/api\/token|tokenUrl|undefined|useWeavyToken|\d{3}|\.$/).map((part) => part.trim())
    expect(ours.flatMap(written).filter((part) => !source.includes(part))).toEqual([])
  })

  test('the UIKit as it speaks', () => {
    const uikit = read('node_modules/@weavy/uikit-web/dist/build/weavy.esm.bundle.js')
    const others = /CORS|Access-Control|Content Security|customElements|WeavyTokenProvider|not known/
    const sentences = quotes.filter((quote) => !others.test(quote))
    expect(sentences.length).toBeGreaterThan(5)
    expect(sentences.filter((sentence) => !uikit.includes(sentence))).toEqual([])
  })
})

describe('recipes are what the apps of the matrix run', () => {
  test.each([
    ['frameworks.md', 'vue/src/weavy.ts'],
    ['frameworks.md', 'vue/src/chat.vue'],
    ['frameworks.md', 'svelte/src/weavy.svelte.js'],
    ['frameworks.md', 'svelte/src/chat.svelte'],
    ['frameworks.md', 'angular/src/weavy.service.ts'],
    ['frameworks.md', 'elements/solid/create-weavy.ts'],
    ['frameworks.md', 'elements/solid/chat.jsx'],
    ['frameworks.md', 'elements/element/chat-element.ts'],
    ['react.md', 'next-chat/app/api/token/route.ts'],
    ['react.md', 'next-chat/app/chat/messenger.tsx'],
    ['react.md', 'next-chat/app/chat/client.tsx'],
    ['react.md', 'next-chat/app/chat/page.tsx'],
  ])('%s: %s', (document, file) => {
    const recipe = `\n${read(`test/matrix/${file}`)}\`\`\``
    expect(read(`docs/${document}`).includes(recipe)).toBe(true)
  })
})

describe('links', () => {
  test.each(documents)('of %s lead somewhere', (document) => {
    const targets = [...read(document).matchAll(/\]\((?!\w+:)([^)]+)\)/g)].map(([, target = '']) => target)
    const anchorOf = (heading: string) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-')
    const broken = targets.filter((target) => {
      const [path = '', anchor] = target.split('#')
      const file = path ? relative(root, resolve(root, dirname(document), path)) : document
      if (!existsSync(join(root, file))) return true
      if (anchor === undefined) return false
      const headings = [...read(file).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => anchorOf(heading))
      return !headings.includes(anchor)
    })
    expect(broken).toEqual([])
  })
})

test('the README shows what to install, and all three entries, within 60 lines', () => {
  const start = read('README.md').split('\n').slice(0, 60).join('\n')
  for (const needed of [
    'npm install weavy-token',
    'npm ci && npm test',
    "'weavy-token'",
    "'weavy-token/react'",
  ])
    expect(start).toContain(needed)
  expect(start).toContain("'weavy-token/broker'")
})

test('docs/errors.md names every error code', () => {
  const codes = /TokenErrorCode =\n((?: {2}\| '\w+'\n)+)/.exec(read('src/errors.ts'))?.[1] ?? ''
  const names = [...codes.matchAll(/'(\w+)'/g)].map(([, name]) => name)
  expect(names.length).toBeGreaterThan(5)
  expect(names.filter((name) => !read('docs/errors.md').includes(`\`${name}\``))).toEqual([])
})

test('docs/guarantees.md tells the schedule that the source keeps', () => {
  const guarantees = read('docs/guarantees.md').replaceAll(/\s+/g, ' ')
  const seconds = (delayMs: (n: number) => number) => {
    const delays = Array.from({ length: 20 }, (_, n) => delayMs(n + 1) / 1000)
    const last = delays.at(-1) ?? 0
    return `${delays.slice(0, delays.indexOf(last)).join(', ')} and then every ${last} s`
  }
  const rejected = new TokenError('rejected', '')
  expect(guarantees).toContain(seconds((n) => retryDelayMs(n, 0)))
  expect(guarantees).toContain(`asked again ${MAX_STRIKES} times`)
  expect(guarantees).toContain(seconds((n) => consequenceOf(rejected, MAX_STRIKES + n, 0).delayMs))
})
