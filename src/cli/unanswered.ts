// What a command was asked for and has no answer to: counted, and said on stderr once, when the command ends with 1 for it.

import { EXIT } from './exit.ts'
import { note } from './output.ts'

/** Questions that are named; the others are counted. */
const MOST_NAMED = 8

/** Questions with and without an answer. */
export class Unanswered {
  readonly #lacking: string
  readonly #questions: string
  readonly #some: string[] = []
  #asked = 0
  #missed = 0

  /** `lacking` is what there is not, such as "no symbol"; `questions` is what was asked about, such as "names". */
  constructor(lacking: string, questions: string) {
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
    note(`${this.#lacking} for ${this.#some.join(', ')}${more}: ${this.#missed} of ${this.#asked} ${this.#questions}`)
    return EXIT.notFound
  }
}
