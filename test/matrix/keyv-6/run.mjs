// Keyv 6 in front of a real Redis that reads but does not write. It wants a newer Node than the oldest that we support.
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'

const node = 'node_modules/node-22/bin/node'
if (!existsSync(node)) throw new Error('this folder needs Linux on x64')
execFileSync(node, ['program.mjs'], { stdio: 'inherit' })
