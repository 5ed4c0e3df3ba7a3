// Asking the broker for pieces: a request whose answer comes under a subject of its own.

import type { Msg, NatsConnection, Subscription } from '@nats-io/transport-node'
import { NotReadableError } from '../../core/errors.ts'
import { requestFailure } from './connect.ts'

/**
 * Where pieces arrive that were asked for. A piece comes under its own subject, which does not tell the request that it answers: so each
 * request has an inbox to itself, which the next one uses again.
 */
export class Inbox {
  readonly #connection: NatsConnection
  readonly #subscription: Subscription
  #arrived: ((message: Msg) => void) | undefined

  constructor(connection: NatsConnection, subject: string) {
    this.#connection = connection
    this.#subscription = connection.subscribe(subject, {
      callback: (error, message) => {
        if (error === null) this.#arrived?.(message)
      },
    })
  }

  /** Asks, and waits for the one message that answers. An inbox that did not get it is of no use any more. @throws NotReadableError */
  async ask(subject: string, payload: string, timeoutMs: number): Promise<Msg> {
    let timer: NodeJS.Timeout | undefined
    try {
      return await new Promise<Msg>((resolve, reject) => {
        this.#arrived = resolve
        timer = setTimeout(
          () => reject(new NotReadableError(`${subject}: no answer in ${timeoutMs} ms, or no right to ask`)),
          timeoutMs,
        )
        this.#connection.publish(subject, payload, { reply: this.#subscription.getSubject() })
      })
    } catch (error) {
      // What comes late would be taken for the answer to another request: here it comes back to the queue.
      if (!this.#connection.isClosed()) this.#subscription.unsubscribe()
      throw requestFailure(subject, error)
    } finally {
      clearTimeout(timer)
      this.#arrived = undefined
    }
  }
}
