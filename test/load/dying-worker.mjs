// A worker that says hello and dies in the middle of the first task it is given.
export default function dying(task) {
  if (task !== 'hello') process.exit(3)
}
