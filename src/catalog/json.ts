// Checks of what a stored text says, field by field: a file can say anything.

import { BadFormatError } from '../core/errors.ts'

/** Reads the fields of something stored, which `what` names in errors. */
export class Fields {
  readonly #what: string
  readonly #fields: Readonly<Record<string, unknown>>

  constructor(what: string, value: unknown) {
    this.#what = what
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw this.#wrong('description')
    this.#fields = value as Record<string, unknown> // An object's own fields, each of which is looked at before it is used.
  }

  /** @throws BadFormatError if the text is no JSON object */
  static parse(what: string, text: string): Fields {
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch (error) {
      throw new BadFormatError(`${what}: its description is no JSON`, {}, { cause: error })
    }
    return new Fields(what, value)
  }

  #wrong(name: string): BadFormatError {
    return new BadFormatError(`${this.#what}: it has no such ${name}`)
  }

  /** A string that fits a pattern, if one is given. */
  text(name: string, pattern?: RegExp): string {
    const value = this.#fields[name]
    if (typeof value !== 'string' || pattern?.test(value) === false) throw this.#wrong(name)
    return value
  }

  maybeText(name: string, pattern?: RegExp): string | undefined {
    return this.#fields[name] === undefined ? undefined : this.text(name, pattern)
  }

  /** A whole number from `least` to `most`. */
  whole(name: string, most = Number.MAX_SAFE_INTEGER, least = 0): number {
    const value = this.#fields[name]
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < least || value > most)
      throw this.#wrong(name)
    return value
  }

  maybeWhole(name: string, most?: number, least?: number): number | undefined {
    return this.#fields[name] === undefined ? undefined : this.whole(name, most, least)
  }

  /** An address in hexadecimal. */
  address(name: string): bigint {
    return BigInt(`0x${this.text(name, ADDRESS)}`)
  }

  /** The result of `read` for a field, if it is there. */
  maybe<T>(name: string, read: (value: unknown) => T): T | undefined {
    const value = this.#fields[name]
    return value === undefined || value === null ? undefined : read(value)
  }

  list(name: string): readonly unknown[] {
    const value = this.#fields[name]
    if (!Array.isArray(value)) throw this.#wrong(name)
    return value
  }

  texts(name: string, pattern?: RegExp): readonly string[] {
    return this.list(name).map((value) => {
      if (typeof value !== 'string' || pattern?.test(value) === false) throw this.#wrong(name)
      return value
    })
  }
}

/** An address in hexadecimal. */
export const ADDRESS = /^[0-9a-f]{1,16}$/
/** A GNU build id in hexadecimal. */
export const BUILD_ID = /^[0-9a-f]{8,128}$/
/** A name of a module, section, release …: no blanks, nothing that a terminal or a path could take for more. */
export const WORD = /^[!-~]{1,200}$/
/** Names that may be those of modules, and parts of a file's name. */
export const MODULE_NAME = /^[0-9A-Za-z_.-]{1,100}$/
