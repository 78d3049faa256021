// The recipes of docs/observability.md, with the real libraries.
import assert from 'node:assert/strict'
import { metrics } from '@opentelemetry/api'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import { captureMessage, flush, init } from '@sentry/browser'
import { createTestTokenSource } from 'weavy-token/testing'
import { writeExamples } from '../documented.mjs'

writeExamples('observability', /^src\//)

/** A first token, a refusal of it, and a refresh that fails. */
async function play(listeners, draw = () => {}) {
  const source = createTestTokenSource({}, listeners)
  draw(source)
  const token = await source.getToken()
  await source.getToken({ rejected: token })
  source.answer('broker_error')
  await source.refresh()
  source.close()
}
/** What is told may be logged. */
const checkClean = (told) => assert.doesNotMatch(JSON.stringify(told), /wyu_/)

const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 60_000 })
metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }))
await play(await import('./src/metrics.js'))
await reader.forceFlush()
const recorded = exporter.getMetrics()[0].scopeMetrics[0].metrics
const pointsOf = (name) => recorded.find(({ descriptor }) => descriptor.name === name).dataPoints
const requests = pointsOf('weavy_token.request.duration')
assert.deepEqual(
  requests.map(({ attributes, value }) => ({ ...attributes, count: value.count })),
  [
    { reason: 'first', error: 'none', count: 1 },
    { reason: 'rejected', error: 'none', count: 1 },
    { reason: 'ahead', error: 'broker_error', count: 1 },
  ],
)
assert.deepEqual(
  pointsOf('weavy_token.refusals').map(({ attributes, value }) => ({ ...attributes, value })),
  [{ status: 401, from: 'app', value: 1 }],
)
checkClean(recorded)
await reader.shutdown()

const reports = []
const beforeSend = (report) => {
  reports.push(report)
  return null
}
init({ dsn: 'https://key@127.0.0.1/1', defaultIntegrations: false, beforeSend })
await play(await import('./src/breadcrumbs.js'))
captureMessage('something failed')
await flush(1000)
assert.deepEqual(
  reports[0].breadcrumbs.map(({ message, level }) => `${level}: ${message}`),
  ['info: new token', 'warning: refused', 'info: new token', 'warning: broker_error'],
)
checkClean(reports)

const { drawLife } = await import('./src/track.js')
await play({}, drawLife)
const drawn = performance.getEntriesByType('measure')
assert.deepEqual(
  drawn.map(({ name, detail }) => `${name}: ${detail.devtools.color}`),
  [
    ...['empty: secondary-light', 'fetching: secondary', 'ready: primary'],
    ...['fetching: secondary', 'ready: primary', 'stale: error'],
  ],
)
assert.equal(new Set(drawn.map(({ detail }) => detail.devtools.track)).size, 1)
checkClean(drawn)
