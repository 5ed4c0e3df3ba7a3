// A worker that says hello, joins the first crew that it is asked to join, takes a piece of its work and dies with it.
import { join } from '../../dist/src/load/crew-thread.js'

export default function taking(task) {
  if (task === 'hello') return
  const { control } = task
  // The first piece that there is never comes back.
  const exchange = Atomics.compareExchange
  Atomics.compareExchange = (array, ...rest) => {
    const got = exchange(array, ...rest)
    if (array === control && got === rest[1]) process.exit(3)
    return got
  }
  join(task)
}
