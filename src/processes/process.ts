// A process as events carry it: an immutable snapshot, and its JSON.

import { wrong } from '../core/arguments.ts'

/** One image of a process: what one exec (or the fork before any) made of it. Frozen; a change makes a new one. */
export interface ProcessSnapshot {
  /** base64 of `NODE:START:PID`, as tetragon names an image; START is in nanoseconds. */
  readonly execId: string
  readonly pid: number
  /** Equal to pid, except in the copy that an event of another thread carries. */
  readonly tid: number
  readonly comm: string | undefined
  readonly binary: string | undefined
  readonly args: string | undefined
  readonly uid: number | undefined
  /** Nanoseconds on the stream's clock; undefined where the process was never seen to start. */
  readonly startTs: bigint | undefined
  readonly parentExecId: string | undefined
  /** The image that this one replaced. */
  readonly previousExecId: string | undefined
  /** `clone`, `execve`, `procFS`, `kthread`, `unknown`, …, joined by spaces. */
  readonly flags: string
}

/** The name of an image. */
export function execId(node: string, startTs: bigint, pid: number): string {
  return Buffer.from(`${node}:${startTs}:${pid}`).toString('base64')
}

/** Texts of the snapshots that were written last: events of one moment are of few. All that are kept would take more than the snapshots. */
const MOST_WRITTEN = 1 << 11
let written = new WeakMap<ProcessSnapshot, string>()
let writtenBefore = written
let fresh = 0

/** A snapshot as JSON text. */
export function processJson(snapshot: ProcessSnapshot): string {
  if (typeof snapshot?.execId !== 'string') throw wrong('snapshot', "a process's snapshot", snapshot)
  const known = written.get(snapshot)
  if (known !== undefined) return known
  const text = writtenBefore.get(snapshot) ?? textOf(snapshot)
  if (fresh++ === MOST_WRITTEN) {
    writtenBefore = written
    written = new WeakMap()
    fresh = 1
  }
  written.set(snapshot, text)
  return text
}

function textOf(snapshot: ProcessSnapshot): string {
  return JSON.stringify({
    exec_id: snapshot.execId,
    pid: snapshot.pid,
    tid: snapshot.tid,
    comm: snapshot.comm,
    binary: snapshot.binary,
    args: snapshot.args,
    uid: snapshot.uid,
    start_ts: snapshot.startTs === undefined ? undefined : String(snapshot.startTs),
    parent_exec_id: snapshot.parentExecId,
    previous_exec_id: snapshot.previousExecId,
    flags: snapshot.flags,
  })
}
