// Stores whose keys are not what they seem: MariaDB's default collation takes Alice for alice, unstorage cuts a key at a "?".
import { strict as assert } from 'node:assert'
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import KeyvMysql from '@keyv/mysql'
import Keyv from 'keyv'
import { createStorage } from 'unstorage'
import memoryDriver from 'unstorage/drivers/memory'
import { createTokenBroker } from 'weavy-token/broker'

let issued = 0
const owners = new Map()
/** Weavy, which remembers for whom it made which token. */
const fetch = async (url, init) => {
  if (init.method === 'PUT') return Response.json({})
  const token = `wyu_${++issued}`
  owners.set(token, decodeURIComponent(new URL(url).pathname.split('/')[3]))
  return Response.json({ access_token: token, expires_in: 3600 })
}

async function check(name, store) {
  let uid = ''
  const lines = []
  const log = (line) => lines.push(line)
  const options = {
    weavyUrl: 'https://acme.weavy.io',
    apiKey: 'wys_key',
    user: () => ({ uid }),
    syncProfile: true,
  }
  // Each request by a process that knows nothing yet: all it can know is in the store.
  const ask = async (user, query = '') => {
    uid = user
    const broker = createTokenBroker({ ...options, fetch, log, store })
    const response = await broker.fetch(new Request(`https://app.example/api/token${query}`))
    return (await response.json()).access_token
  }
  const users = [
    'alice',
    'Alice',
    'ALICE',
    'älice',
    'alice?1',
    'alice?2',
    'a:b',
    'a::b',
    'a.b',
    `u${'x'.repeat(250)}`,
  ]
  const before = issued
  for (const query of ['', '?refresh=true', '']) {
    for (const user of users) {
      const token = await ask(user, query)
      assert.equal(owners.get(token), user, `${name}: ${user} got the token of ${owners.get(token)}`)
    }
  }
  assert.equal(issued - before, 2 * users.length, `${name}: every user has a record of his own`)

  // Sign-out reaches the next process.
  const token = await ask('alice')
  const broker = createTokenBroker({ ...options, fetch, log, store })
  await broker.forget('alice')
  assert.notEqual(await ask('alice'), token, `${name}: a forgotten token came back`)
  assert.deepEqual(lines, [], name)
}

const isHere = (command) => !spawnSync(command, ['--help']).error

/** As root on a Debian it is installed; elsewhere the error says what to do. */
function bringMariaDb() {
  if (isHere('mariadb-install-db')) return
  // Without the server that the package would start.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
  if (process.getuid?.() === 0)
    for (const command of [['update'], ['install', '-y', '--no-install-recommends', 'mariadb-server']])
      spawnSync('apt-get', command, { env, stdio: 'inherit' })
  if (!isHere('mariadb-install-db'))
    throw new Error('this folder needs MariaDB: apt-get install --no-install-recommends mariadb-server')
}

function startMariaDb() {
  const directory = mkdtempSync(join(tmpdir(), 'weavy-token-mariadb-'))
  const data = join(directory, 'data')
  const user = userInfo().username
  const made = spawnSync(
    'mariadb-install-db',
    [`--datadir=${data}`, `--user=${user}`, '--auth-root-authentication-method=normal', '--skip-test-db'],
    { encoding: 'utf8' },
  )
  assert.equal(made.status, 0, made.stderr)
  const port = 20_000 + (process.pid % 20_000)
  const server = spawn(
    'mariadbd',
    [
      '--no-defaults',
      `--datadir=${data}`,
      `--user=${user}`,
      `--socket=${join(directory, 's')}`,
      `--port=${port}`,
      '--bind-address=127.0.0.1',
    ],
    { stdio: 'ignore' },
  )
  const sql = (text) =>
    spawnSync('mariadb', ['--no-defaults', '-uroot', `--socket=${join(directory, 's')}`, '-e', text], {
      encoding: 'utf8',
    })
  const stop = async () => {
    const ended = new Promise((resolve) => server.once('exit', resolve))
    server.kill('SIGKILL')
    await ended
    rmSync(directory, { recursive: true, force: true })
  }
  return { port, sql, stop }
}

bringMariaDb()
const mariaDb = startMariaDb()
try {
  const create =
    "CREATE DATABASE app; CREATE USER app@'127.0.0.1' IDENTIFIED BY 'app'; GRANT ALL ON app.* TO app@'127.0.0.1'"
  let created = mariaDb.sql(create)
  for (let i = 0; i < 60 && created.status !== 0; i++) {
    await sleep(500)
    created = mariaDb.sql(create)
  }
  assert.equal(created.status, 0, created.stderr)
  const adapter = new KeyvMysql(`mysql://app:app@127.0.0.1:${mariaDb.port}/app`)
  await check('MariaDB behind Keyv', new Keyv(adapter))
  await adapter.disconnect()
} finally {
  await mariaDb.stop()
}

const storage = createStorage({ driver: memoryDriver() })
await check('unstorage', {
  get: (key) => storage.getItem(key),
  set: (key, value) => storage.setItem(key, value),
  delete: (key) => storage.removeItem(key),
})
