// A worker whose answer is the task it was given.
export default function echo(task) {
  return task === 'hello' ? undefined : { value: task }
}
