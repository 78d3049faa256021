#!/usr/bin/env node
import { setTimeout } from 'node:timers/promises'
import { run } from './command.js'

const { stdout, stderr, env, argv } = process
process.exitCode = await run(argv.slice(2), {
  out: (text) => stdout.write(text),
  error: (text) => stderr.write(text),
  wait: setTimeout,
  hasColours: stdout.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb',
})
