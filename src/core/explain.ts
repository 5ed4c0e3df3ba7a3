// How objects of the library explain themselves: in a text, in JSON and in what `console.log` shows. Their fields are read from
// shared memory by getters, of which neither JSON nor an inspector sees anything by itself.

/** What `util.inspect` calls an object by; known without reading node:util. */
export const INSPECT: unique symbol = Symbol.for('nodejs.util.inspect.custom') as never

/** `util.inspect`, as it hands itself to what it shows. */
export type Inspect = (value: unknown, options: object) => string

/** What `util.inspect` shows of an object: the name of its class and what its JSON has. */
export function inspected(
  name: string,
  fields: () => object,
  depth: number,
  options: object,
  inspect: Inspect,
): string {
  return depth < 0 ? `[${name}]` : `${name} ${inspect(fields(), options)}`
}

/** A number in words, with the thing that is counted: `1 symbol`, `12 symbols`. */
export function counted(count: number, thing: string, things = `${thing}s`): string {
  return `${count.toLocaleString('en-US')} ${count === 1 ? thing : things}`
}

/** Has objects that only carry fields say in a text what they are; `json`, where they have what JSON cannot write. */
export function sayingAs<T extends object>(say: (each: T) => string, json?: (each: T) => object): (each: T) => T {
  const prototype = {
    toString(this: T): string {
      return say(this)
    },
    ...(json !== undefined && {
      toJSON(this: T): object {
        return json(this)
      },
    }),
  }
  // Not to be listed, copied or compared among the fields.
  for (const name of Object.keys(prototype)) Object.defineProperty(prototype, name, { enumerable: false })
  return (each) => Object.setPrototypeOf(each, prototype) as T
}
