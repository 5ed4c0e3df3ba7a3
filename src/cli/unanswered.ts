// Questions to which a command has no answer: counted, and said on stderr once, when the command ends with 1 for it.

import { counted } from '../core/explain.ts'
import { EXIT } from './exit.ts'
import { note } from './output.ts'

/** Questions that are named; the others are counted. */
const MOST_NAMED = 8

/** What is counted: one, and several of it. */
export type Things = readonly [one: string, several: string]

/** How many there are, where that is some of them or all: `2 of 3 names`, `3 names`, `1 name`. */
export function partOf(some: number, all: number, [one, several]: Things): string {
  return some === all ? counted(all, one, several) : `${some.toLocaleString('en-US')} of ${counted(all, one, several)}`
}

/** Questions with and without an answer. */
export class Unanswered {
  readonly #lacking: string
  readonly #questions: Things
  readonly #some: string[] = []
  #asked = 0
  #missed = 0

  /** `lacking` is what there is not, such as "no symbol"; `questions` is what was asked about, one and several. */
  constructor(lacking: string, questions: Things) {
    this.#lacking = lacking
    this.#questions = questions
  }

  answered(): void {
    this.#asked++
  }

  /** There is no answer to a question; `why` if that is known. */
  missed(question: string, why?: string): void {
    this.#asked++
    if (this.#missed++ >= MOST_NAMED) return
    this.#some.push(why === undefined ? question : why.startsWith(question) ? why : `${question} (${why})`)
  }

  /** The exit code of the command; says why it is 1. */
  conclude(): number {
    if (this.#missed === 0) return EXIT.ok
    const more = this.#missed > this.#some.length ? ', …' : ''
    note(`${this.#lacking} for ${this.#some.join(', ')}${more}: ${partOf(this.#missed, this.#asked, this.#questions)}`)
    return EXIT.notFound
  }
}
