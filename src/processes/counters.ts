// The counters of the process cache. Every warning is a counter too: a rare line in a log is easily missed.

/** A family of counts as monitoring shows it; `label` names what its values are told apart by. */
export interface CounterFamily {
  readonly name: string
  readonly help: string
  readonly kind: 'counter' | 'gauge'
  readonly label: string | undefined
  readonly values: readonly (readonly [of: string, value: number])[]
}

/** The counters of one cache. */
export class ProcessCounters {
  size = 0
  capacity = 0
  /** Entries that collection removed. */
  collected = 0
  /** Entries that had to go for want of room. */
  capacityEvictions = 0
  /** Entries asked to go that were gone already. */
  earlyDeletions = 0
  readonly misses = { get: 0, remove: 0 }
  /** Lookups that found nothing, by why: nothing was ever seen of the number, all seen of it began later, or it is no longer kept. */
  readonly missKinds = { unseen: 0, before_start: 0, gone: 0 }
  readonly mismatches = { exec: 0, clone: 0, exit: 0 }
  readonly refcountUnderflows = { process: 0, parent: 0 }
  readonly duplicates = { clone: 0, exec: 0, exit: 0 }
  /** Events that wait now. */
  waitingNow = 0
  readonly waiting = { process_info: 0 }
  /** Events whose process was looked for again after their wait. */
  readonly retries = { process_info: 0 }
  readonly failures = { process_info: 0, parent_info: 0, ancestors_info: 0 }
  /** Events that are older than anything still waited for. */
  late = 0
  threadForks = 0
  threadExits = 0
  /** Entries taken back because what was forked turned out to be a thread. */
  retractedForks = 0
  pidReuses = 0
  /** Events that said what another recorder's event had said. */
  toldTwice = 0
  /** Events that the recorder had no room for. */
  lostEvents = 0
  /** Times that the clock was set back. */
  clockSetBacks = 0
  /** Numbers that /proc was asked of because nothing was known of them. */
  asked = 0
  /** Forks of which nothing said whether they made a thread. */
  guessedForks = 0
  /** Snapshots handed out as they are, and those copied for another thread's number. */
  readonly handedOut = { shared: 0, copied: 0 }

  families(): CounterFamily[] {
    const gauge = (name: string, help: string, value: number): CounterFamily => ({
      name,
      help,
      kind: 'gauge',
      label: undefined,
      values: [['', value]],
    })
    const counter = (name: string, help: string, value: number): CounterFamily => ({
      ...gauge(name, help, value),
      kind: 'counter',
    })
    const labelled = (name: string, help: string, label: string, values: Readonly<Record<string, number>>) => ({
      name,
      help,
      kind: 'counter' as const,
      label,
      values: Object.entries(values),
    })
    return [
      gauge('process_cache_size', 'Entries in the process cache', this.size),
      gauge('process_cache_capacity', 'Most entries the process cache holds', this.capacity),
      counter(
        'process_cache_evictions_total',
        'Entries removed, for whatever cause',
        this.collected + this.capacityEvictions,
      ),
      counter('process_cache_capacity_evictions_total', 'Entries removed for want of room', this.capacityEvictions),
      counter('process_cache_early_deletions_total', 'Entries asked to go that were gone', this.earlyDeletions),
      labelled('process_cache_misses_total', 'Lookups that found no entry', 'operation', this.misses),
      labelled(
        'process_lookup_misses_total',
        'Lookups of processes that found none, by what is known of the number',
        'kind',
        this.missKinds,
      ),
      labelled('pid_tid_mismatch_total', 'Events whose TID had to be corrected', 'event', this.mismatches),
      labelled(
        'refcnt_underflow_total',
        'Reference counts that would have gone below 0',
        'reference',
        this.refcountUnderflows,
      ),
      labelled('duplicate_event_total', 'Events that said what was known', 'event', this.duplicates),
      gauge('event_cache_entries', 'Events that wait for older ones', this.waitingNow),
      labelled(
        'event_cache_inserts_total',
        'Events whose process was not known when they came',
        'entry_type',
        this.waiting,
      ),
      labelled(
        'event_cache_fetch_retries_total',
        'Events looked at again after their wait',
        'entry_type',
        this.retries,
      ),
      labelled('event_cache_fetch_failures_total', 'Events sent on incomplete', 'entry_type', this.failures),
      counter('late_events_total', 'Events older than the wait', this.late),
      counter('thread_forks_total', 'Forks of threads, which make no entry', this.threadForks),
      counter('thread_exits_total', 'Exits of threads whose process lives on', this.threadExits),
      counter('retracted_forks_total', 'Entries taken back because a thread was forked', this.retractedForks),
      counter('pid_reuse_total', 'Processes with the number of one that is still kept', this.pidReuses),
      counter('told_twice_total', 'Events that two recorders told, and that were sent on once', this.toldTwice),
      counter('lost_events_total', 'Events that the recorder had no room for', this.lostEvents),
      counter('clock_set_back_total', 'Times that the clock of the stream was set back', this.clockSetBacks),
      counter('proc_lookups_total', 'Processes that /proc was asked of while the stream ran', this.asked),
      counter('guessed_forks_total', 'Forks of which nothing said whether they made a thread', this.guessedForks),
      labelled('process_snapshots_total', 'Snapshots given to events', 'how', this.handedOut),
    ]
  }
}
