// A small HTTP answer: what is at an address, and where a name is, as JSON, from a kernel that is kept current. For a page, tokens and
// limits there is `kerndex serve`; this shows how little a service of your own needs.
//
//   node http.js [CAPTURE]        prints where it listens, on this machine only
//   curl http://127.0.0.1:PORT/address/0xffffffff8ab669e8
//   curl http://127.0.0.1:PORT/symbol/vfs_read
import { createServer } from 'node:http'
import { openKernel, parseAddress } from 'kerndex'

const [capture] = process.argv.slice(2)
const kernel = await openKernel({ from: capture, types: false })

const server = createServer((request, response) => {
  // One snapshot for the whole answer, whatever is published meanwhile.
  const { symbols, generation } = kernel.snapshot()
  const [, what = '', given = ''] = (request.url ?? '').split('/', 3).map(decode)
  const address = parseAddress(given)
  const found =
    what === 'address' && address !== undefined
      ? (symbols.at(address) ?? null)
      : what === 'symbol' && given !== ''
        ? symbols.named(given)
        : undefined
  response.writeHead(found === undefined ? 404 : 200, { 'content-type': 'application/json' })
  // Symbols and matches write themselves as JSON, addresses as text.
  response.end(
    `${JSON.stringify(found === undefined ? { error: 'ask /address/0x… or /symbol/NAME' } : { generation, found })}\n`,
  )
})

/** A part of a path as it was meant; what is no such text stays as it is. */
function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

server.listen(0, '127.0.0.1', () => {
  const place = server.address()
  process.stdout.write(`http://127.0.0.1:${typeof place === 'object' ? place?.port : place}/\n`)
})

const end = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => end.abort())
for await (const change of kernel.watch({ intervalMs: 2000, signal: end.signal })) process.stderr.write(`${change}\n`)
server.close()
await kernel.close()
