// The two recipes of docs/broker.md that turn the broker's events into metrics, as they stand there.
import { strict as assert } from 'node:assert'
import { readFile, writeFile } from 'node:fs/promises'
import { metrics } from '@opentelemetry/api'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import { transform } from 'esbuild'
import { register } from 'prom-client'
import { createTokenBroker } from 'weavy-token/broker'

const document = await readFile(`${process.env.WEAVY_TOKEN_ROOT}/docs/broker.md`, 'utf8')

async function recipe(name) {
  const block = document.slice(document.indexOf(`\`${name}.ts\``)).match(/^```ts\n(.*?)^```$/ms)?.[1]
  assert(block, `docs/broker.md has no ${name}.ts`)
  const { code } = await transform(block, { loader: 'ts', format: 'esm' })
  await writeFile(`${name}.mjs`, code)
  return (await import(`./${name}.mjs`)).onEvent
}

/** One token issued, two reused, one replaced, one request of nobody, and one while Weavy is down. */
async function use(onEvent, name) {
  let isDown = false
  let who = { uid: `u-${name}` }
  const broker = createTokenBroker({
    weavyUrl: 'https://acme.weavy.io',
    apiKey: 'wys_key',
    user: () => who,
    fetch: async () =>
      isDown
        ? new Response(null, { status: 503 })
        : Response.json({ access_token: `wyu_${name}`, expires_in: 3600 }),
    log() {},
    onEvent,
  })
  const ask = (query = '') => broker.fetch(new Request(`https://app.example/api/token${query}`))
  for (const query of ['', '', '', '?refresh=true']) assert.equal((await ask(query)).status, 200)
  who = null
  assert.equal((await ask()).status, 401)
  who = { uid: `u-${name}-2` }
  isDown = true
  assert.equal((await ask()).status, 503)
}

await use(await recipe('prometheus'), 'prometheus')
const text = await register.metrics()
for (const line of [
  'weavy_token_requests_total{type="issued",code=""} 1',
  'weavy_token_requests_total{type="reused",code=""} 2',
  'weavy_token_requests_total{type="replaced",code=""} 1',
  'weavy_token_requests_total{type="refused",code="not_signed_in"} 1',
  'weavy_token_requests_total{type="failed",code="weavy_unavailable"} 1',
  'weavy_token_calls_total 2',
  'weavy_token_seconds_count{type="reused"} 2',
]) {
  assert(text.includes(`${line}\n`), `${line} is missing:\n${text}`)
}

const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
const reader = new PeriodicExportingMetricReader({ exporter })
metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }))
await use(await recipe('opentelemetry'), 'opentelemetry')
await reader.forceFlush()
const exported = exporter
  .getMetrics()
  .at(-1)
  .scopeMetrics.flatMap((scope) => scope.metrics)
const pointsOf = (name) => exported.find(({ descriptor }) => descriptor.name === name)?.dataPoints ?? []
const sum = (points) => points.reduce((total, { value }) => total + value, 0)
assert.equal(sum(pointsOf('weavy_token.requests')), 6)
assert.equal(sum(pointsOf('weavy_token.calls')), 2)
const reused = pointsOf('weavy_token.requests').find(({ attributes }) => attributes.type === 'reused')
assert.deepEqual(reused, { ...reused, value: 2, attributes: { type: 'reused', status: 200 } })
assert.equal(
  pointsOf('weavy_token.duration').reduce((total, { value }) => total + value.count, 0),
  6,
)
await reader.shutdown()
