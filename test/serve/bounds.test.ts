// Who is let in, what is refused, and how a server ends: tokens, hosts, bounds, slow callers, signals.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openKernel } from '../../src/open-kernel.ts'
import type { Serving } from '../../src/serve/app.ts'
import { tableSources } from '../../src/serve/tables.ts'
import { tokenFrom } from '../../src/serve/token.ts'
import { MAIN } from '../cli/run.ts'
import { CAPTURE } from '../fixtures.ts'
import { ask, parsed, post, start, TOKEN } from './server.ts'

const folder = mkdtempSync(join(tmpdir(), 'kerndex-serve-'))

describe('who is let in', () => {
  let serving: Serving & { readonly url: string }
  let base: string
  beforeAll(async () => {
    serving = await start({ hosts: ['kernel.example'] })
    base = new URL('/', serving.url).href
  })
  afterAll(() => serving?.close())

  it('whoever has the token, in a header or in the path', async () => {
    expect((await ask(`${serving.url}v1/tables`)).status).toBe(200)
    expect((await ask(`${base}v1/tables`, { headers: { Authorization: `Bearer ${TOKEN}` } })).status).toBe(200)
  })

  it.each([
    ['none', 'v1/tables', {}],
    ['a wrong one', 'v1/tables', { Authorization: `Bearer ${TOKEN.slice(1)}` }],
    ['a wrong one in the path', `t/${TOKEN}x/v1/tables`, {}],
    ['an empty one in the path', 't//v1/tables', {}],
    ['none, for the page', '', {}],
    ['none, for what is not there', 'nothing', {}],
  ])('nobody with %s', async (_, path, headers) => {
    const answer = await ask(base + path, { headers })
    expect(answer.status).toBe(401)
    expect(answer.headers['www-authenticate']).toContain('Bearer')
    expect(answer.body.toString()).not.toContain('debian')
  })

  it('anybody, to hear whether it runs', async () => {
    expect((await ask(`${base}healthz`)).body.toString()).toBe('ok\n')
    expect((await ask(`${base}readyz`)).status).toBe(200)
  })

  it.each([
    ['127.0.0.1', 200],
    ['localhost:80', 200],
    ['[::1]:9', 200],
    ['kernel.example', 200],
    ['Kernel.Example:443', 200],
    ['evil.example', 421],
    ['kernel.example.evil.example', 421],
  ])('under the Host %j: %i', async (host, status) => {
    expect((await ask(`${serving.url}v1/tables`, { headers: { Host: host } })).status).toBe(status)
    // What a proxy says is believed only where there is one.
    const forwarded = { Host: 'evil.example', 'X-Forwarded-Host': '127.0.0.1' }
    expect((await ask(`${serving.url}v1/tables`, { headers: forwarded })).status).toBe(421)
  })

  it('sends headers with every answer that let nothing run', async () => {
    for (const path of [serving.url, `${serving.url}v1/tables`, `${base}x`]) {
      const { headers } = await ask(path)
      expect(headers['content-security-policy']).toMatch(/^default-src 'none'/)
      expect(headers['content-security-policy']).not.toContain('unsafe')
      expect(headers['x-content-type-options']).toBe('nosniff')
      expect(headers['referrer-policy']).toBe('no-referrer')
    }
  })

  it('knows what is there, and by which method', async () => {
    expect((await ask(`${serving.url}nothing`)).status).toBe(404)
    const wrong = await ask(`${serving.url}v1/tables`, { method: 'POST' })
    expect([wrong.status, wrong.headers.allow]).toEqual([405, 'GET'])
    expect((await ask(serving.url.slice(0, -1))).headers.location).toBe(`${TOKEN}/`)
    const head = await ask(`${serving.url}v1/tables`, { method: 'HEAD' })
    expect([head.status, head.body.length]).toEqual([200, 0])
  })
})

it('behind a proxy it stands under a prefix and believes its X-Forwarded-Host', async () => {
  const serving = await start({ prefix: '/kernel', behindProxy: true, hosts: ['kernel.example'] })
  try {
    expect(serving.url).toContain('/kernel/t/')
    const headers = { Host: 'inside', 'X-Forwarded-Host': 'kernel.example' }
    expect((await ask(`${serving.url}v1/tables`, { headers })).status).toBe(200)
    expect((await ask(`${serving.url.replace('/kernel', '')}v1/tables`, { headers })).status).toBe(404)
    expect(
      (await ask(`${serving.url}v1/tables`, { headers: { ...headers, 'X-Forwarded-Host': 'evil.example' } })).status,
    ).toBe(421)
  } finally {
    await serving.close()
  }
})

describe('what is refused', () => {
  it('a body that is too large, whether it says so or not, and the answer arrives', async () => {
    const serving = await start({ limits: { body: 1000, stream: 1000, addresses: 10 } })
    try {
      const body = Buffer.alloc(200_000, 0x20)
      for (const path of ['v1/resolve', 'v1/text', 'symbolicate/v5', 'symbol']) {
        expect((await ask(`${serving.url}${path}`, { method: 'POST', body })).status).toBe(413)
        const chunked = { 'Transfer-Encoding': 'chunked' }
        expect((await ask(`${serving.url}${path}`, { method: 'POST', body, headers: chunked })).status).toBe(413)
      }
      const many = JSON.stringify({ addresses: Array(11).fill('0x1') })
      expect((await ask(`${serving.url}v1/resolve`, { method: 'POST', body: many })).status).toBe(413)
      const { gzipSync } = await import('node:zlib')
      const bomb = { method: 'POST', headers: { 'Content-Encoding': 'gzip' }, body: gzipSync(Buffer.alloc(100_000)) }
      expect((await ask(`${serving.url}v1/resolve`, bomb)).status).toBe(413)
      const packed = { method: 'POST', headers: { 'Content-Encoding': 'br' }, body: 'x' }
      expect((await ask(`${serving.url}v1/resolve`, packed)).status).toBe(415)
    } finally {
      await serving.close()
    }
  })

  it('more at once than there is room for, with when to come again', async () => {
    const serving = await start({ limits: { requests: 2, streams: 1, listeners: 1 } })
    try {
      // A text that does not end, and a request that does not either.
      const text = await slowPost(serving.url, 'v1/text')
      const second = await ask(`${serving.url}v1/text`, { method: 'POST', body: '0x1' })
      expect([second.status, second.headers['retry-after']]).toEqual([429, '1'])
      const slow = await slowPost(serving.url, 'v1/resolve')
      const third = await ask(`${serving.url}v1/tables`)
      expect([third.status, third.headers['retry-after']]).toEqual([503, '2'])
      expect((await ask(`${serving.url}healthz`)).status).toBe(200)
      text.destroy()
      slow.destroy()
      await expect.poll(async () => (await ask(`${serving.url}v1/tables`)).status).toBe(200)
      // What those sent is held no more.
      expect((await ask(`${serving.url}metrics`)).body.toString()).toMatch(/kerndex_serve_held_bytes 0\b/)
    } finally {
      await serving.close()
    }
  })

  it('bodies that come too slowly, whose places are free again, but no text that is piped as it is made', async () => {
    const serving = await start({ limits: { requests: 2, bodyMs: 50 } })
    try {
      const text = await slowPost(serving.url, 'v1/text')
      const slow = await slowPost(serving.url, 'v1/resolve')
      const [heard] = (await once(slow, 'data')) as [Buffer]
      expect(heard.toString()).toMatch(/^HTTP\/1.1 408 /)
      expect((await ask(`${serving.url}v1/tables`)).status).toBe(200)
      expect(text.destroyed).toBe(false)
      text.destroy()
    } finally {
      await serving.close()
    }
  })

  it('texts that wait for their callers, once somebody else needs the place', async () => {
    const serving = await start({ limits: { streams: 1, bodyMs: 50 } })
    try {
      const text = await slowPost(serving.url, 'v1/text')
      const heard = once(text, 'data') as Promise<[Buffer]>
      await expect
        .poll(async () => (await ask(`${serving.url}v1/text`, { method: 'POST', body: '0x1\n' })).status)
        .toBe(200)
      expect((await heard)[0].toString()).toMatch(/^HTTP\/1.1 408 /)
    } finally {
      await serving.close()
    }
  })

  it('more bytes than may be held for all', async () => {
    const serving = await start({ limits: { held: 50_000 } })
    try {
      expect((await ask(`${serving.url}v1/resolve`, { method: 'POST', body: Buffer.alloc(60_000, 0x20) })).status).toBe(
        429,
      )
      expect((await ask(`${serving.url}v1/resolve`, { method: 'POST', body: '{"addresses":["0x1"]}' })).status).toBe(
        200,
      )
    } finally {
      await serving.close()
    }
  })

  it('heads that do not come to an end', async () => {
    const serving = await start({ limits: { headMs: 100, requestMs: 200 } })
    try {
      const { port } = new URL(serving.url)
      const sockets = await Promise.all(
        Array.from({ length: 200 }, async () => {
          const socket = connect(Number(port), '127.0.0.1')
          socket.on('error', () => {})
          await once(socket, 'connect')
          socket.write('GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n')
          return socket
        }),
      )
      // All are let go, and others are answered meanwhile.
      expect((await ask(`${serving.url}v1/tables`)).status).toBe(200)
      await Promise.all(sockets.map((socket) => socket.resume() && once(socket, 'close')))
    } finally {
      await serving.close()
    }
  })
})

/** A POST whose body does not come to an end; resolves once the server has begun with it. */
async function slowPost(url: string, path: string) {
  const { port, pathname } = new URL(url)
  const socket = connect(Number(port), '127.0.0.1')
  socket.on('error', () => {})
  socket.write(
    `POST ${pathname}${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nExpect: 100-continue\r\nContent-Length: 500\r\n\r\n`,
  )
  await once(socket, 'data')
  socket.write('0x12')
  return socket
}

it('lets what is running finish when it ends, and takes no more', async () => {
  const serving = await start()
  const socket = await slowPost(serving.url, 'v1/resolve')
  let heard = ''
  socket.on('data', (piece: Buffer) => {
    heard += piece.toString()
  })
  const ended = serving.close()
  await expect
    .poll(() =>
      ask(`${serving.url}healthz`).then(
        () => 'open',
        () => 'closed',
      ),
    )
    .toBe('closed')
  socket.write(' '.repeat(496))
  await once(socket, 'close')
  await ended
  expect(heard).toContain('400 Bad Request')
})

describe('the token', () => {
  it('is made once, kept where only its owner reads it, and the same the next time', async () => {
    const path = join(folder, 'state', 'token')
    const token = await tokenFrom(path)
    expect(token).toMatch(/^[A-Za-z0-9_-]{32}$/)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(await tokenFrom(path)).toBe(token)
  })

  it('is not taken from a file that others may read, or that holds something else', async () => {
    const path = join(folder, 'open')
    writeFileSync(path, `${TOKEN}\n`, { mode: 0o600 })
    expect(await tokenFrom(path)).toBe(TOKEN)
    chmodSync(path, 0o644)
    await expect(tokenFrom(path)).rejects.toThrow('others may use it')
    chmodSync(path, 0o600)
    writeFileSync(path, 'short')
    await expect(tokenFrom(path)).rejects.toThrow('holds no token')
    expect(readFileSync(path, 'utf8')).toBe('short')
  })
})

it('tables have keys of their own, of what they are called or of what they are given', () => {
  const keys = (...given: string[]) => tableSources(given).map(({ key, from }) => `${key} ${from ?? ''}`)
  expect(keys()).toEqual(['live '])
  expect(keys('a/b.kerndex', 'c/b.tar.gz', 'x=c/b', 'live')).toEqual([
    'b a/b.kerndex',
    'b-2 c/b.tar.gz',
    'x c/b',
    'live ',
  ])
  expect(() => keys('x=a', 'x=b')).toThrow('two tables are called x')
})

it('closes the table that was used longest ago, and opens it again', async () => {
  const sources = tableSources([`a=${CAPTURE}`, `b=${CAPTURE}`, `c=${CAPTURE}`])
  const serving = await start({ sources, limits: { tables: 2 } })
  try {
    const open = () =>
      serving.tables
        .list()
        .filter((table) => table.open)
        .map(({ key }) => key)
    await expect.poll(() => serving.tables.list().every(({ identity }) => identity !== undefined)).toBe(true)
    expect(open()).toEqual(['b', 'c'])
    expect((await ask(`${serving.url}v1/k/a/search?q=vfs_read`)).status).toBe(200)
    expect(open()).toEqual(['a', 'c'])
  } finally {
    await serving.close()
  }
})

it('tells whoever listens what comes and goes in the running kernel', async () => {
  const text = join(folder, 'kallsyms')
  const core = 'ffffffff81000000 T _stext\nffffffff82000000 T _etext\n'
  writeFileSync(text, core)
  const serving = await start({
    sources: [{ key: 'live', from: undefined }],
    // A file stands for the running kernel, which is looked at again and again.
    open: () => openKernel({ from: text, threads: 0 }),
    watchMs: 20,
  })
  try {
    const heard: string[] = []
    const listening = request(`${serving.url}v1/events`, (response) => {
      response.on('data', (piece: Buffer) => heard.push(piece.toString()))
      response.on('error', () => {})
    })
    listening.on('error', () => {})
    listening.end()
    await expect.poll(() => heard.join('')).toContain('retry:')
    writeFileSync(text, `${core}ffffffffc0001000 t new_function\t[new_module]\n`)
    await expect.poll(() => heard.join('')).toContain('event: generation')
    const [, data = ''] = /^data: (.*)$/m.exec(heard.join('')) ?? []
    expect(JSON.parse(data)).toEqual({ key: 'live', generation: 2, symbols: 3, fresh: ['new_module'], gone: [] })
    const { frames } = await post<{ frames: { symbol: string }[] }>(`${serving.url}v1/resolve`, {
      addresses: ['0xffffffffc0001000'],
    })
    expect(frames[0]!.symbol).toBe('new_function')
    listening.destroy()
  } finally {
    await serving.close()
  }
})

describe('the command', () => {
  const run = (args: string[]) =>
    spawn(process.execPath, [MAIN, 'serve', '--from', `deb=${CAPTURE}`, ...args], {
      env: { ...process.env, NO_COLOR: '1', XDG_STATE_HOME: folder },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  const firstLine = async (child: ReturnType<typeof run>) => {
    const [line] = (await once(child.stdout, 'data')) as [Buffer]
    return line.toString().trim()
  }

  it('prints its address first, keeps its token, and ends with 0 when told to', async () => {
    const urls: string[] = []
    for (let i = 0; i < 2; i++) {
      const child = run([])
      const url = await firstLine(child)
      urls.push(url)
      expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/t\/[A-Za-z0-9_-]{32}\/$/)
      expect(parsed<{ tables: { key: string }[] }>(await ask(`${url}v1/tables`)).tables[0]!.key).toBe('deb')
      child.kill('SIGTERM')
      expect(await once(child, 'close')).toEqual([0, null])
    }
    expect(new URL(urls[0]!).pathname).toBe(new URL(urls[1]!).pathname)
  })

  it('listens at a Unix socket that only its owner opens, without a token, also where an old one is left', async () => {
    const socketPath = join(folder, 'k.sock')
    for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
      const child = run(['--listen', socketPath])
      expect(await firstLine(child)).toBe(`unix:${socketPath}`)
      expect(statSync(socketPath).mode & 0o777).toBe(0o600)
      expect((await ask('http://any.name/v1/tables', { socketPath })).status).toBe(200)
      child.kill(signal)
      await once(child, 'close')
    }
    expect(existsSync(socketPath)).toBe(false)
  })

  it.each([
    [['--listen', '7000'], 2, 'HOST:PORT is needed'],
    [['--listen', '127.0.0.1:99999'], 2, 'HOST:PORT is needed'],
    [['--prefix', 'x y'], 2, 'a path such as'],
    [['--token-file', '/dev/null'], 3, 'cannot be trusted'],
    [['--listen', '203.0.113.1:9'], 3, 'cannot be listened at'],
  ] as const)('%j ends with %i and says why', async (args, code, words) => {
    const child = run([...args])
    let said = ''
    child.stderr.on('data', (piece: Buffer) => {
      said += piece.toString()
    })
    expect(await once(child, 'close')).toEqual([code, null])
    expect(said).toContain(words)
  })
})
