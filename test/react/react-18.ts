import Module from 'node:module'

// Aliases reach what vitest transforms. What Node loads by itself, such as react-dom, requires React by its name.
type Resolve = (this: unknown, request: string, ...rest: unknown[]) => string
const resolver = Module as unknown as { _resolveFilename: Resolve }
const resolve = resolver._resolveFilename
resolver._resolveFilename = function (request, ...rest) {
  return resolve.call(this, request.replace(/^(react|react-dom)(?=\/|$)/, '$1-18'), ...rest)
}
