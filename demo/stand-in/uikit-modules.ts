import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { serveStatic } from '@hono/node-server/serve-static'
import type { MiddlewareHandler } from 'hono'

const { resolve } = createRequire(import.meta.url)

/** A package `uikit-web-MAJOR` is an alias by which a project can have several versions. */
function packageDirectory(version: string): string {
  try {
    return dirname(resolve(`uikit-web-${version.split('.')[0]}`))
  } catch {
    return dirname(resolve('@weavy/uikit-web'))
  }
}

/** Serves the modules that a UIKit imports from its environment as it needs them, its editor for one. */
export function serveUikitModules(version: string): MiddlewareHandler {
  return serveStatic({
    root: packageDirectory(version),
    rewriteRequestPath: (path) => path.replace('/uikit-web/', '/'),
  })
}
