import { readEnvironment, SetupError, tryEnvironment } from './environment.js'
import { serveDemo } from './serve.js'

function readPort(text = '4173'): number {
  const port = Number(text)
  if (Number.isInteger(port) && port >= 0 && port < 65_536) return port
  throw new SetupError('PORT must be a number from 0 to 65535.')
}

try {
  const port = readPort(process.env.PORT)
  const environment = readEnvironment(process.env)
  if (environment) await tryEnvironment(environment)
  const { url } = await serveDemo({ port, environment })
  console.log(`Weavy: ${environment ? environment.weavyUrl : 'a stand-in, no account needed'}`)
  console.log(`Open ${url}`)
} catch (error) {
  if (!(error instanceof SetupError)) throw error
  console.error(error.message)
  process.exitCode = 1
}
