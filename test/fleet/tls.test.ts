// Connections with TLS, client certificates, NKeys and tokens, against a broker with certificates of a local authority; and what is
// said where one of them is missing.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nkeys } from '@nats-io/transport-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { NatsOptions } from '../../src/fleet/nats/connect.ts'
import { NatsQueue } from '../../src/fleet/nats/queue.ts'
import { Broker, SERVER } from './broker.ts'

const folder = mkdtempSync(join(tmpdir(), 'kerndex-tls-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const at = (name: string) => join(folder, name)

function openssl(...args: string[]): boolean {
  try {
    execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

const OPENSSL = openssl('version')
if (!OPENSSL) process.stderr.write('no openssl here: the test of TLS is skipped (apt-get install openssl)\n')

const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']

function authority(name: string): void {
  openssl('req', '-x509', ...EC, '-subj', `/CN=${name}`, '-keyout', `${name}-key.pem`, '-out', `${name}.pem`)
}

function certificate(name: string, by: string): void {
  openssl('req', ...EC.slice(0, -2), '-subj', `/CN=${name}`, '-keyout', `${name}-key.pem`, '-out', `${name}.csr`)
  writeFileSync(at('names'), 'subjectAltName=DNS:localhost,IP:127.0.0.1')
  const signing = ['-CA', `${by}.pem`, '-CAkey', `${by}-key.pem`, '-CAcreateserial', '-days', '2', '-extfile', 'names']
  openssl('x509', '-req', '-in', `${name}.csr`, ...signing, '-out', `${name}.pem`)
}

describe.skipIf(SERVER === undefined || !OPENSSL)('a broker with TLS', () => {
  let broker: Broker
  const opened: NatsQueue[] = []
  const client = { tlsCert: at('client.pem'), tlsKey: at('client-key.pem') }
  const open = async (options: NatsOptions) => {
    const queue = await NatsQueue.open({ queueBytes: 1 << 24, resultBytes: 1 << 24, ...options })
    opened.push(queue)
    return queue
  }
  const overTls = (options: NatsOptions) => open({ servers: [`tls://localhost:${broker.port}`], ...options })
  const failure = (options: NatsOptions): Promise<{ code: string; message: string }> =>
    overTls(options).then(
      () => expect.unreachable(),
      (error) => error,
    )

  beforeAll(async () => {
    for (const name of ['ca', 'other-ca']) authority(name)
    certificate('server', 'ca')
    certificate('client', 'ca')
    certificate('stranger', 'other-ca')
    const user = nkeys.createUser()
    writeFileSync(at('seed'), user.getSeed())
    writeFileSync(at('other-seed'), nkeys.createUser().getSeed())
    broker = await Broker.start(
      `tls { cert_file: "${at('server.pem')}", key_file: "${at('server-key.pem')}", ca_file: "${at('ca.pem')}", verify: true }
authorization { users: [ { nkey: ${user.getPublicKey()} } ] }\n`,
    )
  })
  afterAll(async () => {
    for (const queue of opened) await queue.close()
    await broker?.stop()
  })

  it('lets in who has a certificate and an NKey', async () => {
    const queue = await overTls({ tlsCa: at('ca.pem'), ...client, nkeyFile: at('seed') })
    expect(await queue.jobs()).toEqual([])
    const socket: { encrypted?: unknown } = Reflect.get(Reflect.get(queue.connection, 'protocol').transport, 'socket')
    expect(socket.encrypted).toBe(true)
  })

  it.concurrent.each<[string, NatsOptions, string, string]>([
    ['no client certificate', { tlsCa: at('ca.pem') }, 'NO_PERMISSION', 'wants a client certificate'],
    [
      'one of another authority',
      { tlsCa: at('ca.pem'), tlsCert: at('stranger.pem'), tlsKey: at('stranger-key.pem') },
      'NO_PERMISSION',
      'ours seems to be of another one',
    ],
    ['a server of another authority', { tlsCa: at('other-ca.pem'), ...client }, 'NOT_READABLE', '--tls-ca'],
    ['no authority', client, 'NOT_READABLE', '--tls-ca'],
    ['another NKey', { tlsCa: at('ca.pem'), ...client, nkeyFile: at('other-seed') }, 'NO_PERMISSION', '--nkey'],
    ['no NKey', { tlsCa: at('ca.pem'), ...client, nkeyFile: undefined }, 'NO_PERMISSION', '--nkey'],
    ['a file that is not there', { tlsCa: at('none.pem'), ...client }, 'NOT_READABLE', 'none.pem'],
  ])('says what is wrong with %s', async (_, options, code, words) => {
    const error = await failure({ nkeyFile: at('seed'), ...options })
    expect([error.code, error.message]).toEqual([code, expect.stringContaining(words)])
  })
})

it.skipIf(SERVER === undefined)('a token lets in, another one does not', async () => {
  writeFileSync(at('token'), 'right\n')
  writeFileSync(at('other-token'), 'wrong\n')
  const broker = await Broker.start('authorization { token: right }\n')
  try {
    const sizes = { servers: [broker.url], queueBytes: 1 << 24, resultBytes: 1 << 24 }
    const queue = await NatsQueue.open({ ...sizes, tokenFile: at('token') })
    expect(await queue.jobs()).toEqual([])
    await queue.close()
    for (const tokenFile of [at('other-token'), undefined])
      await expect(NatsQueue.open({ ...sizes, tokenFile })).rejects.toMatchObject({ code: 'NO_PERMISSION' })
  } finally {
    await broker.stop()
  }
})
