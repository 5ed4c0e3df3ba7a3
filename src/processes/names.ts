// The names that images and threads keep: each once, however many have it, and in memory of its own. A name as it was decoded is a
// piece of its line, and V8 keeps the whole line for as long as a piece of it is kept.

/** Names that are remembered; then it begins anew. */
const MOST_NAMES = 1 << 12

export class Names {
  readonly #known = new Map<string, string>()

  /** The same name, in memory that holds nothing else. */
  keep<Name extends string | undefined>(name: Name): Name | string {
    if (name === undefined) return name
    let own = this.#known.get(name)
    if (own === undefined) {
      own = ownCopy(name)
      if (this.#known.size >= MOST_NAMES) this.#known.clear()
      this.#known.set(own, own)
    }
    return own
  }
}

/** Through JSON, which keeps lone surrogates too: nothing else copies any string for certain. */
function ownCopy(name: string): string {
  const own: unknown = JSON.parse(JSON.stringify(name))
  return typeof own === 'string' ? own : name
}
