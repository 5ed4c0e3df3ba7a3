// News of the running kernel for callers that listen: server-sent events.

import type { ServerResponse } from 'node:http'
import type { GenerationNews } from './tables.ts'

/** Milliseconds between signs of life: proxies close connections that are silent. */
const BEAT_MS = 15_000

/** The callers that listen. */
export class Listeners {
  readonly #open = new Set<ServerResponse>()
  #beat: NodeJS.Timeout | undefined

  get size(): number {
    return this.#open.size
  }

  /** Sends news to one more until it is gone. */
  add(response: ServerResponse, head: Readonly<Record<string, string>>): void {
    response.writeHead(200, { ...head, 'Content-Type': 'text/event-stream', 'X-Accel-Buffering': 'no' })
    response.write('retry: 2000\n\n')
    this.#open.add(response)
    response.on('close', () => {
      this.#open.delete(response)
      if (this.#open.size === 0) clearInterval(this.#beat)
    })
    if (this.#open.size === 1) this.#beat = setInterval(() => this.#send(': alive\n\n'), BEAT_MS)
  }

  /** A table has a new generation. JSON has no line ends, which would end the event. */
  tell(news: GenerationNews): void {
    this.#send(`event: generation\nid: ${news.generation}\ndata: ${JSON.stringify(news)}\n\n`)
  }

  /** Ends all. */
  close(): void {
    clearInterval(this.#beat)
    for (const response of this.#open) response.end()
  }

  #send(text: string): void {
    for (const response of this.#open) {
      // One that does not read is let go: news would pile up for it.
      if (response.writableLength > 1 << 16) response.destroy()
      else response.write(text)
    }
  }
}
