// The one list of differences between the kernel and kerndex that are meant, or not to be had, each with its reason. Whatever
// differs and is not here makes the run end with 1.

export interface KnownDifference {
  readonly suite: string
  /** The check; `*` at its end stands for anything. So in the fields below; one that is left out is any. */
  readonly check: string
  readonly class?: string
  readonly kernel?: string
  readonly kerndex?: string
  /** Releases that it holds for. */
  readonly releases?: RegExp
  /** Only outcomes whose subject is such a one. */
  readonly subject?: RegExp
  /** At most this share of the check's outcomes; more is no known difference any more. */
  readonly atMost?: number
  readonly reason: string
}

export const KNOWN_DIFFERENCES: readonly KnownDifference[] = [
  {
    suite: 'symbols',
    check: '%pS*',
    kernel: 'answers beyond the end',
    kerndex: 'nothing',
    reason: 'the kernel gives the nearest name below for want of one: its own size says that the address is not in it',
  },
  {
    suite: 'symbols',
    check: '%pS*',
    kernel: 'answers behind a section',
    kerndex: 'nothing',
    reason: 'a section of the core ends there: its end marker says nothing of what is at the address',
  },
  {
    suite: 'symbols',
    check: '%pS*',
    kernel: 'nothing',
    kerndex: 'answers',
    subject: /, kerndex \S+ \[(bpf|__builtin__\w+)\]$/,
    reason: 'kallsyms lists pages that the kernel made for tracing and programs, and %pS does not look there',
  },
  // A load of the running kernel reads no sections either.
  ...['%pS, from kallsyms alone', '%pS, live'].flatMap((check) => [
    {
      suite: 'symbols',
      check,
      kernel: 'answers*',
      kerndex: 'nothing',
      atMost: 0.049,
      reason: 'a section without symbols, such as .bss: without the list of sections nothing says that it is there',
    },
    {
      suite: 'symbols',
      check,
      kernel: 'nothing',
      kerndex: 'answers',
      atMost: 0.009,
      reason: "behind the last symbol of a module's piece: without the list of sections it ends with its page",
    },
    {
      suite: 'symbols',
      check,
      kernel: 'answers',
      kerndex: 'other size',
      atMost: 0.08,
      reason:
        "the last symbol of a module's piece, of which many are asked: without the list of sections it ends with its page",
    },
  ]),
  {
    suite: 'symbols',
    check: '%pS*',
    kernel: 'answers',
    kerndex: 'nothing',
    atMost: 0.003,
    reason: 'the very place where a section of the core ends: its marker names what is before it',
  },
  {
    suite: 'symbols',
    check: '%pS*',
    kernel: 'nothing',
    kerndex: 'answers',
    atMost: 0.003,
    reason: 'the last bytes of a section, which the kernel counts to its next border',
  },
  {
    suite: 'symbols',
    check: '%pS*',
    kernel: 'answers',
    kerndex: 'other size',
    atMost: 0.01,
    reason: 'the last symbol of a section, which the kernel counts to its next border',
  },
  ...['offset 8*', 'offset 9*', 'offset 16*'].map((place) => ({
    suite: 'probes',
    check: 'verdicts*',
    class: place,
    kerndex: 'unknown',
    reason: 'behind the second instruction only the bytes of the code tell where instructions begin',
  })),
  {
    suite: 'probes',
    check: 'verdicts, k*',
    kernel: 'refuses',
    kerndex: 'caution, then ok*',
    subject: /\.cold: the kernel EINVAL Failed to register probe event/,
    atMost: 0.005,
    reason: 'a cold part that begins with the instruction of a WARN: no capture has the table of those',
  },
  {
    suite: 'probes',
    check: 'verdicts, fprobe',
    class: 'blacklisted',
    kernel: 'takes',
    kerndex: 'no',
    reason:
      'a plan of kprobes leaves out what the kprobe blacklist has: a multi-link, which goes through ftrace alone, would take it',
  },
  {
    suite: 'lockdown',
    check: 'verdicts*',
    class: 'confidentiality UNKNOWN_TRACEABLE',
    kerndex: 'unknown',
    reason: 'the files that tell which functions can be traced are refused to everybody at this level',
  },
  {
    suite: 'probes',
    check: 'verdicts, kprobe',
    class: 'offset 5 UNKNOWN_INSTRUCTION',
    kerndex: 'unknown',
    reason:
      'behind the call of __fentry__ an instruction begins, which may be that of a jump label: no capture has the table of those',
  },
  {
    suite: 'processes',
    check: 'no tgid, with task_newtask*',
    class: 'CLONE_PARENT',
    kerndex: 'wrong parent',
    reason:
      "the forker's parent is the child's: only the flags that task_newtask prints tell so, and the truth is read without them",
  },
  {
    suite: 'processes',
    check: 'no tgid, --wait*',
    kerndex: 'wrong, marked incomplete',
    releases: /^(?:[1-5]|6\.(?:\d|1[0-5])\b)/,
    atMost: 0.02,
    reason:
      'before sched_process_exit told group_dead no line tells a thread from a process that leaves the same lines: a marked guess',
  },
  {
    suite: 'processes',
    check: 'no tgid, --wait*',
    class: 'fork by a thread',
    kerndex: 'wrong, marked incomplete',
    atMost: 0.002,
    reason:
      'no line of a fork tells whether it made a thread: until its exit says group_dead the answer is a marked guess',
  },
  {
    suite: 'processes',
    check: 'as read, --wait*',
    kerndex: 'wrong, marked incomplete',
    releases: /^(?:[1-5]|6\.(?:\d|1[0-5])\b)/,
    atMost: 0.005,
    reason:
      'the column tells of the last user of a number: of an earlier one no line tells whether it was a thread: a marked guess',
  },
]
