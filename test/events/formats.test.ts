// Every input format: told from its beginning, and decoded into what its text says.

import { describe, expect, it } from 'vitest'
import type { TraceEvent } from '../../src/events/event.ts'
import { detectFormat, INPUT_FORMATS } from '../../src/events/formats.ts'
import { DEBIAN, decode, HOST, sample } from './samples.ts'

const OOPS_X86 = `[  123.456700] BUG: kernel NULL pointer dereference, address: 0000000000000000
[  123.456750] Oops: 0002 [#1] PREEMPT SMP NOPTI
[  123.456760] CPU: 1 PID: 4474 Comm: sh: odd Tainted: G           O       6.1.0 #1
[  123.456789] RIP: 0010:mydriver_write+0x34/0xb0 [mydriver]
[  123.456790] Code: 00 00 <48> 8b
[  123.456791] RAX: ffffffff8a903050 RBX: 0000000000000000 RCX: ffffffff8a903051
[  123.456800] Call Trace:
[  123.456801]  <TASK>
[  123.456802]  vfs_write+0x89/0x180
[  123.456803]  ? ext4_file_write_iter+0x620/0x1af0 [ext4 3f2a9c]
[  123.456804]  [<ffffffff8107c9a2>] kthread+0xda/0x100
[  123.456804] RIP: 0033:0x7f11aa4bf0b7
[  123.456805]  </TASK>
[  123.456806] Modules linked in: mydriver(O)
[  123.456807] ---[ end trace 0000000000000000 ]---
[  123.456808] RIP: 0010:mydriver_write+0x34/0xb0 [mydriver]
`
const OOPS_ARM64 = `[   10.000001] Unable to handle kernel NULL pointer dereference at virtual address 0000000000000000
[   10.000002] CPU: 0 PID: 77 Comm: insmod Not tainted 6.1.0 #1
[   10.000003] pc : mod_fn+0x24/0x38 [mod]
[   10.000004] lr : mod_init+0x10/0x1000 [mod]
[   10.000005] x29: ffff80000803bb20 x28: ffff80000803bc40 x27: 0000000000000000
[   10.000006] Call trace:
[   10.000007]  mod_fn+0x24/0x38 [mod]
[   10.000008]  do_one_initcall+0x50/0x1d0
[   10.000009] ---[ end trace 0000000000000000 ]---
`
const TETRAGON = `{"process_kprobe":{"process":{"pid":51583,"tid":51584,"binary":"/usr/bin/curl"},"parent":{"pid":7},"function_name":"kfree_skb_reason","kernel_stack_trace":[{"address":"18446744072119856613","offset":"5","symbol":"kfree_skb_reason"},{"offset":"94","symbol":"tcp_rcv","module":"m"},{"symbol":"zero"}]},"node_name":"n","time":"2022-05-11T12:54:45.615123456Z"}
{"process_exec":{"process":{"pid":9,"tid":10,"binary":"/bin/sh","arguments":"-c x","uid":0},"parent":{"pid":8}},"time":"2022-05-11T12:54:46Z"}
{"process_exit":{"process":{"pid":9,"binary":"/bin/sh"},"parent":{"pid":8},"status":3},"time":"2022-05-11T12:54:47Z"}
`
const TRACEE = `{"timestamp":1684688250477166817,"processorId":1,"processId":35694,"threadId":35694,"hostProcessId":3242201,"hostThreadId":3242202,"hostParentProcessId":5,"userId":1000,"processName":"ls","eventName":"execve","stackAddresses":[140737488355327,94489280512]}
{"timestamp":1684688250477166818,"hostProcessId":3242201,"hostThreadId":3242201,"processName":"ls","eventName":"sched_process_exec","stackAddresses":null,"args":[{"name":"pathname","type":"const char*","value":"/bin/ls"},{"name":"argv","type":"const char**","value":["ls","-l"]}]}
`
const NDJSON = `{"type":"exec","pid":5,"tid":6,"ts":"1684688250477166817","filename":"/bin/x"}
{"type":"kprobe","pid":5,"ts":1684688250477166818,"stack":["0xffffffff81000010","ffffffff81000020",18446744071578845232,"18446744071578845233",{"address":"0xffffffff81000040"},{"symbol":"f","offset":3}]}
`
const TRACE_CMD = `cpus=2
           <...>-1234  [001]  1754.538898: kernel_stack:         <stack trace >
=> do_syscall_64 (ffffffff821ed511)
=> entry_SYSCALL_64_after_hwframe (ffffffff81000130)
`

const texts: [string, string, string][] = [
  ['perf-script', 'default', sample(HOST, 'perf-script-default.txt').toString('latin1')],
  ['perf-script', 'pid/tid', sample(HOST, 'perf-script-pidtid.txt').toString('latin1')],
  ['perf-script', 'tracepoints', sample(HOST, 'perf-script-sched.txt').toString('latin1')],
  ['perf-script', 'task events', sample(HOST, 'perf-script-taskevents.txt').toString('latin1')],
  ['perf-script', 'of modules', sample(DEBIAN, 'perf-script.txt').toString('latin1')],
  ['perf-json', 'as written', sample(HOST, 'perf-data-convert.json').toString('latin1')],
  ['bpftrace', 'names', sample(HOST, 'bpftrace-kstack.txt').toString('latin1')],
  ['bpftrace', 'addresses', sample(DEBIAN, 'bpftrace-kstack.txt').toString('latin1')],
  [
    'bpftrace-json',
    'map',
    '{"type": "map", "data": {"@": {"\\n    widen_string+3\\n    vsnprintf+5\\n,tracee": 7}}}\n',
  ],
  ['ftrace', 'events', sample(HOST, 'ftrace-threads.txt').toString('latin1')],
  ['ftrace', 'names', sample(HOST, 'ftrace-stack-plain.txt').toString('latin1')],
  ['ftrace', 'addresses', sample(HOST, 'ftrace-stack-symaddr.txt').toString('latin1')],
  ['ftrace', 'trace-cmd', TRACE_CMD],
  ['proc-stack', 'two tasks', sample(HOST, 'proc-pid-stack.txt').toString('latin1')],
  ['proc-stack', 'many tasks', sample(DEBIAN, 'proc-pid-stack.txt').toString('latin1')],
  ['oops', 'x86', OOPS_X86],
  ['oops', 'arm64', OOPS_ARM64],
  ['folded', 'names', 'swapper;common_startup_64;pv_native_safe_halt 328250000\nb;c 1\n'],
  ['tetragon', 'export', TETRAGON],
  ['tracee', 'events', TRACEE],
  ['merged', 'own', '{"merged":2,"weight":"7","stack":["0xffffffff81000010"]}\n'],
  ['ndjson', 'own', NDJSON],
  ['addresses', 'with and without 0x', '0xffffffff81000010\nffffffff81000020\n'],
  ['symbols', 'kallsyms', 'ffffffff81000010 T f\nffffffffc0201000 t ftrace_trampoline\t[__builtin__ftrace]\n'],
  ['symbols', 'functions with addresses', 'ffffffff81000010 f\nffffffffc0b2d010 nft_alloc [nf_tables]\n'],
  ['symbols', 'functions', 'do_one\ndo_two\nnft_alloc [nf_tables]\n'],
  ['any-text', 'a line of a log', 'jumped to ffffffff81000010 for no reason\n'],
]

describe('telling the format', () => {
  it.each(texts)('%s: %s', (name, _, text) => {
    expect(detectFormat(text.slice(0, 65536), text.length <= 65536)?.name).toBe(name)
  })
  it('has an example of every format', () => {
    // Profiles that are no text have a test file of their own.
    const names = INPUT_FORMATS.filter(({ kind }) => kind !== 'binary').map(({ name }) => name)
    expect(new Set(texts.map(([name]) => name))).toEqual(new Set(names))
  })
  it.each([
    ['symbols', `b;c 1\n${'ffffffff81000010 f\n'.repeat(3)}`],
    ['ndjson', `${'{"merged":2,"weight":"7","stack":["0xffffffff81000010"]}\n'.repeat(3)}{"type":"exit","pid":5}\n`],
  ])('%s: what most lines are in, though a format that is asked sooner knows some', (name, text) => {
    expect(detectFormat(text, true)?.name).toBe(name)
  })
  it.each(['', 'hello\nworld\n', '\0\0\0\0', '{"a":1}\n'])('%j is in none', (text) => {
    expect(detectFormat(text, true)).toBeUndefined()
  })
})

describe('real samples', () => {
  it.each([
    ['perf-script', HOST, 'perf-script-default.txt', 1201],
    ['perf-script', HOST, 'perf-script-pidtid.txt', 19],
    ['perf-script', HOST, 'perf-script-taskevents.txt', 213],
    ['perf-script', DEBIAN, 'perf-script.txt', 11215],
    ['perf-json', HOST, 'perf-data-convert.json', 19],
    ['ftrace', HOST, 'ftrace-threads.txt', 146],
    ['ftrace', HOST, 'ftrace-stack-symaddr.txt', 191],
    ['proc-stack', HOST, 'proc-pid-stack.txt', 2],
    ['proc-stack', DEBIAN, 'proc-pid-stack.txt', 375],
  ])('%s %s %s: %i events, every line understood', (format, capture, name, count) => {
    const { events, bad } = decode(format, sample(capture, name).toString('latin1'))
    expect(bad).toEqual([])
    expect(events).toHaveLength(count)
  })

  it('the three forms of one recording say the same', () => {
    const key = ({ ts, comm, tid, frames }: TraceEvent) => [
      ts,
      comm,
      tid,
      frames.filter(({ user }) => !user).map(({ address }) => address),
    ]
    const text = decode('perf-script', sample(HOST, 'perf-script-pidtid.txt').toString('latin1')).events
    const plain = decode('perf-script', sample(HOST, 'perf-script-sched.txt').toString('latin1')).events
    const json = decode('perf-json', sample(HOST, 'perf-data-convert.json').toString('latin1')).events
    expect(plain.map(key)).toEqual(text.map(key))
    // The text has microseconds; perf's JSON files user frames under no dso where it knows none.
    const kernel = (address: bigint | undefined) => (address ?? 0n) >= 1n << 63n
    expect(
      json.map((event) => [(event.ts ?? 0n) / 1000n, event.comm, event.frames.map((f) => f.address).filter(kernel)]),
    ).toEqual(
      text.map((event) => [(event.ts ?? 0n) / 1000n, event.comm, event.frames.map((f) => f.address).filter(kernel)]),
    )
    expect(json.map(({ pid, tid }) => [pid, tid])).toEqual(text.map(({ pid, tid }) => [pid, tid]))
  })
})

const shown = ({ type, name, pid, tid, ts, comm, weight, life }: TraceEvent) => ({
  type,
  name,
  pid,
  tid,
  ts,
  comm,
  weight,
  life,
})

describe('perf script', () => {
  const header = (text: string) => shown(decode('perf-script', `${text}\n`).events[0]!)
  it.each([
    [
      'swapper     0 [000]  1616.732432:     250000 cpu-clock: ',
      { comm: 'swapper', tid: 0, name: 'cpu-clock', weight: 250000n, ts: 1616732432000n },
    ],
    [
      'memfd:sealed-91 7 [000] 1.000001: 1 cycles:P: ',
      { comm: 'memfd:sealed-91', tid: 7, type: 'sample', name: 'cycles:P' },
    ],
    ['a 1 [001] 2.000000: b 99 [000]  1616.732432:  1 cpu-clock: ', { comm: 'a', tid: 1, ts: 2000000000n }],
    ['kworker/0:1-mm_ 11/12 [003] 5.123456789: cpu-clock: ', { pid: 11, tid: 12, ts: 5123456789n }],
    [
      '            bash  4474 [001] 9.000001: sched:sched_waking: comm=x pid=3',
      { comm: 'bash', type: 'tracepoint', name: 'sched:sched_waking' },
    ],
    ['perf-exec  8825   461.828353: ', { comm: 'perf-exec', tid: 8825, name: undefined }],
    ['x 3 [000] 1.000000: probe:do_sys_open: (ffffffff81000000)', { type: 'kprobe', name: 'probe:do_sys_open' }],
  ])('%j', (text, expected) => {
    expect(header(text)).toMatchObject(expected)
  })
  it.each([
    [
      'PERF_RECORD_FORK(4477:4478):(4474:4475)',
      {
        type: 'fork',
        pid: 4474,
        tid: 4475,
        life: { byThread: true, childPid: 4477, childTid: 4478, childIsThread: true, ppid: 4474 },
      },
    ],
    [
      'PERF_RECORD_EXIT(4477:4477):(4474:4474)',
      { type: 'exit', pid: 4477, tid: 4477, life: { byThread: true, ppid: 4474 } },
    ],
    [
      'PERF_RECORD_COMM exec: ls:x:4477/4477',
      { type: 'exec', pid: 4477, tid: 4477, life: { byThread: true, comm: 'ls:x' } },
    ],
    [
      'PERF_RECORD_COMM: new name:4477/4479',
      { type: 'rename', pid: 4477, tid: 4479, life: { byThread: true, comm: 'new name' } },
    ],
  ])('%s', (record, expected) => {
    expect(header(`ls  4477 [001]  2049.360900: ${record}`)).toMatchObject(expected)
  })
  it('without call chains has the PC in the header', () => {
    const { events } = decode(
      'perf-script',
      'a 1 [000] 1.000000:  250000 cpu-clock:  ffffffff821f2c2b halt+0xb ([kernel.kallsyms])\n',
    )
    expect(events[0]?.frames).toMatchObject([
      { address: 0xffffffff821f2c2bn, name: 'halt', offset: 11, column: 56, length: 9 },
    ])
  })
  it.each([
    ['\tffffffffc058585d v9fs_init_inode+0xed ([9p])', { address: 0xffffffffc058585dn, owner: '9p', user: false }],
    [
      '\tffffffff821f2c2b pv_native_safe_halt+0xb ([kernel.kallsyms])',
      { owner: 'vmlinux', user: false, column: 17, length: 24 },
    ],
    [
      '\t          b1cb9b v8::A<b, c>::D+0x4b (/usr/bin/node (deleted))',
      { name: 'v8::A<b, c>::D', offset: 0x4b, user: true },
    ],
    ['\t           ee137 f@@GLIBC_2.3.4+0x7 (/lib/libc.so.6)', { name: 'f@@GLIBC_2.3.4', user: true }],
    ['\t    7ffd12345678 [unknown] ([vdso])', { user: true }],
    ['\t    7ffd12345678 [unknown] (//anon)', { user: true }],
    ['\tffffffffc058585d', { address: 0xffffffffc058585dn, name: undefined, user: false }],
    ['ffffffffc058585d f+0x1 ([m])', { address: 0xffffffffc058585dn, name: 'f', owner: 'm' }],
    ['\tffffffffc058585d [unknown] ([kernel.kallsyms])', { name: undefined, owner: 'vmlinux', user: false }],
    ['\tffffffff8158585d f ([kernel.kallsyms].init.text)', { name: 'f', owner: 'vmlinux', user: false }],
    ['\tffffffff8158585d f+0x1 (/usr/lib/debug/boot/vmlinux-5.4.0-1)', { owner: 'vmlinux', user: false }],
    ['\tffffffffc058585d f (/lib/modules/6.1/kernel/net/nf-tables.ko.xz)', { owner: 'nf_tables', user: false }],
    ['\tffffffffc058585d bpf_prog_0123456789abcdef_f (bpf_prog_0123456789abcdef_f)', { user: false }],
    ['\tffffffffff600000 [unknown] ([vsyscall])', { owner: '[vsyscall]', user: true }],
    ['\tffffffffff600400 [unknown] ([unknown])', { owner: undefined, user: true }],
    ['\tffffffff81000000 in_caller (inlined)', { name: 'in_caller', inlined: true, owner: undefined }],
    ['\tffffffff81000000 in_caller (/bin/a) (inlined)', { name: 'in_caller', inlined: true, owner: '/bin/a' }],
    [
      '\t          401000 f(int (*)(int), char)+0x4 (/opt/a b (c)/l.so)',
      { name: 'f(int (*)(int), char)', offset: 4, owner: '/opt/a b (c)/l.so' },
    ],
    ['\t          401000 decltype (auto) f<int>(int)', { name: 'decltype (auto) f<int>(int)', owner: undefined }],
    ['\t          401000 f (/lib/libc.so.6+0x9e10)', { name: 'f', owner: '/lib/libc.so.6', user: true }],
    ['\t          401000 java.lang.String.hashCode ([JIT app cache])', { owner: '[JIT app cache]', user: true }],
    ['\t          401000 a+0xzz (/bin/a)', { name: 'a+0xzz', offset: undefined }],
  ])('frame %j', (line, expected) => {
    const { events } = decode('perf-script', `a 1 [000] 1.000000: 1 x: \n${line}\n`)
    expect(events[0]?.frames[0]).toMatchObject(expected)
  })
  it.each([
    ['comm, tid', 'perf-exec  8825 \n', { comm: 'perf-exec', tid: 8825, pid: undefined, name: undefined }],
    [
      'pid/tid, cpu, event',
      'a 1 b  7/8 [003] cycles:P: \n',
      { comm: 'a 1 b', pid: 7, tid: 8, cpu: 3, name: 'cycles:P' },
    ],
    ['tid, period', 'sh 7  250000 cpu-clock: \n', { tid: 7, weight: 250000n, name: 'cpu-clock' }],
    ['nothing at all', '', { comm: undefined, tid: undefined }],
    ['comm', 'my prog \n', { comm: 'my prog', tid: undefined, name: undefined }],
    ['event', 'cycles:P: \n', { comm: undefined, tid: undefined, name: 'cycles:P' }],
    ['period, event', '         7 cycles: \n', { comm: undefined, tid: undefined, name: 'cycles', weight: 7n }],
    ['comm, period, event', 'sh          7 cycles: \n', { comm: 'sh', tid: undefined, name: 'cycles', weight: 7n }],
    ['tid, event', '   7001 cycles: \n', { comm: undefined, tid: 7001, name: 'cycles', weight: 1n }],
    ['tid', '   7001 \n', { comm: undefined, tid: 7001, name: undefined }],
    ['cpu and misc', 'sh 7 [001] K cycles: \n', { comm: 'sh', tid: 7, cpu: 1 }],
  ])('without a time, with %s', (_, head, expected) => {
    const text = `${head}\tffffffff81000010 f+0x1 ([m])\n\tffffffff81000020 g ([kernel.kallsyms])\n\n`
    const { events, bad } = decode('perf-script', text + text)
    expect(detectFormat(text, true)?.name).toBe('perf-script')
    expect(bad).toEqual([])
    expect(events).toHaveLength(2)
    for (const event of events) {
      expect(event).toMatchObject({ ...expected, type: 'sample', ts: undefined })
      expect(event.frames.map(({ name }) => name)).toEqual(['f', 'g'])
    }
  })
  it.each([
    ['time, event', ' 5595.541375: cycles: ', { comm: undefined, tid: undefined, name: 'cycles', ts: 5595541375000n }],
    ['comm, time', 'my prog 5595.541375: ', { comm: 'my prog', tid: undefined, name: undefined }],
    ['cpu, time, period', '[003] 5595.541375375:  12 ', { comm: undefined, cpu: 3, weight: 12n, ts: 5595541375375n }],
    ['tid, misc, time', '  47 [003] U     5595.541375: cpu/cycles,name=x/: ', { tid: 47, name: 'cpu/cycles,name=x/' }],
    [
      'a comm that holds a time',
      'a 1.000000: b 7/8 [000] 2.000000: x: ',
      { comm: 'a 1.000000: b', pid: 7, tid: 8, ts: 2000000000n },
    ],
    ['a negative thread', ':-1    -1 [000] 2.000000: x: ', { comm: ':-1', tid: -1 }],
    ['a word like misc', 'K 2.000000: x: ', { comm: 'K', tid: undefined }],
  ])('with a time and %s', (_, head, expected) => {
    const { events, bad } = decode('perf-script', `${head}\n\tffffffff81000010 f+0x1 ([m])\n\n`)
    expect(bad).toEqual([])
    expect(events).toHaveLength(1)
    expect(events[0]).toMatchObject({ ...expected, type: 'sample' })
    expect(events[0]?.frames).toHaveLength(1)
  })
  it('frames may stand behind a blank line', () => {
    const text =
      'a 1 [000] 1.000000: 1 x: \n\n\tffffffff81000010 f ([m])\n\nb 2 [000] 2.000000: 1 x: \n\nc 3 [000] 3.000000: 1 x: \n\n'
    const { events, bad } = decode('perf-script', text)
    expect(bad).toEqual([])
    expect(events.map(({ comm, frames }) => [comm, frames.length])).toEqual([
      ['a', 1],
      ['b', 0],
      ['c', 0],
    ])
  })
  it.each([
    ['', 'java 19983 cycles:'],
    ['     ', 'node 31912 cpu-clock: '],
  ])('is told by frames behind %j and a header without a time', (indent, head) => {
    const text = `${head}\n${indent}ffffffff8103d0ca f ([kernel.kallsyms])\n${indent}7f26814a8b10 LazyCompile:~b a.<c>:1 (/tmp/perf-1.map)\n\n`
    expect(detectFormat(text, true)?.name).toBe('perf-script')
    expect(decode('perf-script', text).events[0]?.frames).toHaveLength(2)
  })
  it('lines of source stand behind their frames', () => {
    const text =
      'a 1 [000] 1.000000: 1 x: \n\tffffffff81000010 f+0x1 ([m])\n  read_write.c:468\n\t401000 g (/bin/a)\n  a.c:1\n\n'
    const { events, bad } = decode('perf-script', text)
    expect(bad).toEqual([])
    expect(events[0]?.frames.map(({ name }) => name)).toEqual(['f', 'g'])
  })
  it('costs time that is linear in a line’s length', () => {
    const lines = (n: number) => [
      ' '.repeat(n),
      ` ${'1 '.repeat(n)}`,
      `a ${'1/'.repeat(n)}`,
      '1.000000:'.repeat(n),
      ' 1.000000: '.repeat(n),
      'a: '.repeat(n),
      `\t401000 ${' ('.repeat(n)}`,
      `\t401000 ${')'.repeat(n)}`,
      `\t401000 ${'+0x'.repeat(n)} (a)`,
      `[${'1'.repeat(n)}] 1.000000: `,
      `a${' '.repeat(n)}1 [000]${' '.repeat(n)}1.000000: x: `,
      `${'K'.repeat(n)} 1.000000: `,
    ]
    for (const text of lines(1 << 19))
      expect(decode('perf-script', `${text}\n\t401000 f\n`).events.length).toBeLessThan(2)
  }, 20_000)
  it('counts what is neither', () => {
    const { bad, events } = decode(
      'perf-script',
      'a 1 [000] 1.000000: 1 x: \n\tnothing\n\nnot a header, nor a comm\n\tffffffff81000000\n',
    )
    expect(bad.map(([line]) => line)).toEqual([1, 3, 4])
    expect(events).toHaveLength(1)
  })
})

describe('ftrace', () => {
  const event = (line: string) => decode('ftrace', `${line}\n`).events[0]!
  it.each([
    [
      '            bash-27020   [001] .....  1754.538898: sched_process_fork: comm=bash pid=27020 child_comm=b c child_pid=27022',
      {
        type: 'fork',
        pid: undefined,
        tid: 27020,
        comm: 'bash',
        life: { byThread: true, childTid: 27022, childComm: 'b c' },
      },
    ],
    [
      '          python3-28617   (  28616) [001] .....  1816.329713: sched_process_exit: comm=python3 pid=28617 prio=120 group_dead=true',
      { type: 'exit', pid: 28616, tid: 28617, life: { groupDead: true } },
    ],
    [
      '           a-b c-1234 (-----) [000] d..2.  5.000001: sched_waking: comm=x pid=1',
      { type: 'tracepoint', name: 'sched_waking', tid: 1234, pid: undefined, comm: 'a-b c' },
    ],
    [
      '           <...>-1234  [000] d..2  5.000001: sched_process_exit: comm=old pid=1234 prio=120',
      { type: 'exit', comm: 'old', tid: 1234 },
    ],
    [
      '            true-28613   (  28613) [001] .....  1815.991184: sched_process_exec: filename=/bin/a b pid=28613 old_pid=28615',
      { type: 'exec', pid: 28613, tid: 28613, life: { filename: '/bin/a b', oldPid: 28615 } },
    ],
    // trace-cmd report -l: the CPU and the flags are one word.
    [
      'kworker/u8:-2605    3d..1  2357.727961: function:             queue_work',
      { type: 'tracepoint', name: 'function', tid: 2605, cpu: 3, comm: 'kworker/u8:', ts: 2357727961000n },
    ],
    [
      '            sh-5 [001] .....  1.000001: myprobe: (do_sys_open+0x0/0x80) arg=1',
      { type: 'kprobe', name: 'myprobe' },
    ],
    ['            sh-5 [001] .....  1.000001: ret: (a+0x5/0x80 <- do_sys_open) arg=1', { type: 'kretprobe' }],
  ])('%s', (line, expected) => {
    expect(event(line)).toMatchObject(expected)
  })
  it('trace-cmd’s addresses may have any number of digits', () => {
    const text =
      ' sshd-804   [050]  1997.252608: kernel_stack:         <stack trace>\n=> number (9e59e4)\n=> f+0x10 (ffffffff81000010)\n=> 769010000000322\n=> 2\n=> g+0x1/0x2 [m 0123ab] <ffffffffc0000001>\n'
    expect(decode('ftrace', text).events[0]?.frames).toMatchObject([
      { name: 'number', address: 0x9e59e4n, offset: undefined },
      { name: 'f', address: 0xffffffff81000010n, offset: 16, kernelWords: false },
      { name: undefined, address: 0x769010000000322n },
      { name: undefined, address: 2n },
      { name: 'g', address: 0xffffffffc0000001n, offset: 1, size: 2, owner: 'm', kernelWords: true },
    ])
  })
  it('a stack belongs to the event of the same thread before it', () => {
    const line = (tid: number, rest: string) => `  x-${tid} [000] .....  1.000001: ${rest}\n`
    const text = `${line(5, 'sched_waking: a')}${line(5, '<stack trace>')} => f+0x1/0x2\n${line(6, 'sched_waking: b')}${line(5, '<stack trace>')} => g+0x1/0x2\n => h\n`
    const { events } = decode('ftrace', text)
    expect(events.map(({ tid, name, frames }) => [tid, name, frames.map((frame) => frame.name)])).toEqual([
      [5, 'sched_waking', ['f']],
      [6, 'sched_waking', []],
      [5, undefined, ['g', 'h']],
    ])
  })
  it.each([
    [
      ' => kernel_clone+0x266/0x3e0 <ffffffff813567f6>',
      { name: 'kernel_clone', offset: 0x266, size: 0x3e0, address: 0xffffffff813567f6n, column: 30, length: 16 },
    ],
    [' => f+0x1/0x2 [mod]', { name: 'f', owner: 'mod', address: undefined }],
    [' => f+0x1/0x2 [mod 3f2a] <ffffffffc0000001>', { name: 'f', owner: 'mod', address: 0xffffffffc0000001n }],
    [' => f', { name: 'f', offset: undefined, length: 0 }],
    ['=> g (22125e4d8)        ', { name: 'g', address: 0x22125e4d8n, column: 6, length: 9 }],
    ['=> 22125e4d8', { name: undefined, address: 0x22125e4d8n }],
    ['=> 2', { name: undefined, address: 2n }],
    ['=> face', { name: 'face', address: undefined }],
    [' => 0xffffffffc0a1b2c3', { name: undefined, address: 0xffffffffc0a1b2c3n }],
    ['=> do_syscall_64 (ffffffff821ed511)', { name: 'do_syscall_64', address: 0xffffffff821ed511n }],
  ])('frame %j', (line, expected) => {
    const { events } = decode('ftrace', `  x-5 [000] .....  1.000001: <stack trace>\n${line}\n`)
    expect(events[0]?.frames[0]).toMatchObject(expected)
  })
})

describe('bpftrace', () => {
  it('reads all keys and decimal offsets', () => {
    const text = '@p[before, \n    fdget+123\n    default_idle+5\n, python3, 7788]: 12\n@[]: 3\n'
    const { events } = decode('bpftrace', text)
    expect(events[0]).toMatchObject({
      name: '@p',
      weight: 12n,
      fields: [
        ['key0', 'before'],
        ['key1', 'python3'],
        ['key2', '7788'],
      ],
    })
    expect(events[0]?.frames).toMatchObject([
      { name: 'fdget', offset: 123, address: undefined },
      { name: 'default_idle', offset: 5 },
    ])
  })
  it.each([
    ['a count', '3', 3n],
    ['a sum below zero', '-3', -3n],
    [
      'a histogram',
      '\n[0]                   2 |@@@    |\n[1, 2)               1 |@      |\n[4K, 8K)             40 |@@@@|\n',
      43n,
    ],
    ['statistics', 'count 2, average 10, total 20', 20n],
  ])('weighs %s', (_, value, weight) => {
    const text = `@h[bash,\n    fdget+123\n    do_sys_poll+632\n, 7]: ${value}\n@x: 5\n@i[bash]: 9\n`
    const { events, bad } = decode('bpftrace', text)
    expect(bad).toEqual([])
    const stacks = events.filter(({ frames }) => frames.length > 0)
    expect(stacks.map((event) => ({ ...event, fields: event.fields.slice(0, 2) }))).toMatchObject([
      {
        name: '@h',
        weight,
        frames: [{ name: 'fdget' }, { name: 'do_sys_poll' }],
        fields: [
          ['key0', 'bash'],
          ['key1', '7'],
        ],
      },
    ])
    expect(detectFormat(text, true)?.name).toBe('bpftrace')
  })
  it('tells of values that weigh nothing', () => {
    const { events, bad } = decode('bpftrace', '@[\n    fdget+123\n]: (1, 2)\n@[\n    fdget+123\n]: hello\n')
    expect(bad.map(([line]) => line)).toEqual([2, 5])
    expect(events.map(({ weight, fields }) => [weight, fields])).toEqual([
      [0n, [['value', '(1, 2)']]],
      [0n, [['value', 'hello']]],
    ])
  })
  it('reads stacks without indentation, as before 0.9', () => {
    const { events, bad } = decode('bpftrace', '@[\nfdget+123\ndo_sys_poll+632\n]: 5\n')
    expect(bad).toEqual([])
    expect(events).toMatchObject([{ weight: 5n, frames: [{ name: 'fdget', column: 0 }, { name: 'do_sys_poll' }] }])
  })
  it('reads stacks that are printed, each up to what follows it', () => {
    const text =
      'Attaching 1 probe...\n\n        fdget+123\n        do_sys_poll+632\n\nsh 7\n        0xffffffff81001290\n        fdget+1\n'
    expect(detectFormat(text, true)?.name).toBe('bpftrace')
    const { events, bad } = decode('bpftrace', text)
    expect(bad).toEqual([])
    expect(events.map(({ frames, fields }) => [frames.map(({ name, address }) => name ?? address), fields])).toEqual([
      [['fdget', 'do_sys_poll'], []],
      [[0xffffffff81001290n, 'fdget'], [['printed', 'sh 7']]],
    ])
  })
  it('reads files beside names in perf’s mode', () => {
    const text =
      '@[\n\tffffffff81001290 vfs_read+144 ([kernel.kallsyms])\n\t7f572d91b230 main+12 (/bin/cat)\n\t7f572d91b231\n]: 7\n'
    expect(decode('bpftrace', text).events[0]?.frames).toMatchObject([
      { address: 0xffffffff81001290n, name: 'vfs_read', offset: 144, owner: 'vmlinux', user: false },
      { name: 'main', offset: 12, owner: '/bin/cat', user: true },
      { address: 0x7f572d91b231n, name: undefined },
    ])
  })
  it('weighs histograms and statistics of JSON, and reads stacks that are printed there', () => {
    const key = '\\n    fdget+123\\n    do_sys_poll+632\\n'
    const text = [
      `{"type": "hist", "data": {"@h": {"${key}": [{"min": 0, "max": 1, "count": 3}, {"min": 2, "count": 4}]}}}`,
      `{"type": "stats", "data": {"@s": {"${key},sh": {"count": 2, "average": 5, "total": 10}}}}`,
      `{"type": "value", "data": "${key}"}`,
      `{"type": "map", "data": {"@t": {"${key}": [1, 2]}}}`,
    ].join('\n')
    const { events, bad } = decode('bpftrace-json', text)
    expect(bad.map(([line]) => line)).toEqual([3])
    expect(events.map(({ weight, name, frames }) => [weight, name, frames.length])).toEqual([
      [7n, '@h', 2],
      [10n, '@s', 2],
      [1n, undefined, 2],
      [0n, '@t', 2],
    ])
  })
  it('reads raw and perf stacks', () => {
    const { events } = decode('bpftrace', '@[\n    ffffffff821f2c2b\n\tffffffff821f2c2b halt+11\n]: 1\n')
    expect(events[0]?.frames).toMatchObject([
      { address: 0xffffffff821f2c2bn, name: undefined },
      { address: 0xffffffff821f2c2bn, name: 'halt', offset: 11, column: 17, length: 8 },
    ])
  })
  it('reads stacks inside of JSON keys', () => {
    const { events } = decode('bpftrace-json', texts.find(([name]) => name === 'bpftrace-json')?.[2] ?? '')
    expect(events).toMatchObject([
      {
        name: '@',
        weight: 7n,
        fields: [['key0', 'tracee']],
        frames: [{ name: 'widen_string', offset: 3 }, { name: 'vsnprintf' }],
      },
    ])
  })
  it('a damaged map is counted, and ends nothing', () => {
    const { events, bad } = decode('bpftrace', '@[\n    a+1\nrubbish\n]: 1\n@[\n    b+1\n@[\n    c+1\n]: 2\n')
    expect(bad.map(([line]) => line)).toEqual([2])
    expect(events.map(({ frames, weight }) => [frames[0]?.name, weight])).toEqual([
      ['a', 1n],
      ['b', 1n],
      ['c', 2n],
    ])
  })
})

describe('kernel log', () => {
  it('of x86: PC, return addresses, doubtful ones, and no registers', () => {
    const { events, bad } = decode('oops', OOPS_X86)
    expect(bad).toEqual([])
    expect(events).toHaveLength(1)
    expect(events[0]).toMatchObject({ tid: 4474, comm: 'sh: odd', shape: 'returns', ts: 123456789000n })
    expect(events[0]?.fields).toEqual([['summary', 'BUG: kernel NULL pointer dereference, address: 0000000000000000']])
    expect(
      events[0]?.frames.map(({ name, pc, reliable, owner, address }) => [name, pc, reliable, owner, address]),
    ).toEqual([
      ['mydriver_write', true, true, 'mydriver', undefined],
      ['vfs_write', false, true, undefined, undefined],
      ['ext4_file_write_iter', false, false, 'ext4', undefined],
      ['kthread', false, true, undefined, 0xffffffff8107c9a2n],
    ])
  })
  it('of arm64: the trace begins with the PC, and where lr points is no stack', () => {
    const { events } = decode('oops', OOPS_ARM64)
    expect(events.map(({ name, frames }) => [name, frames.map((frame) => [frame.name, frame.pc])])).toEqual([
      [
        undefined,
        [
          ['mod_fn', true],
          ['do_one_initcall', false],
        ],
      ],
    ])
  })
  it('of arm64 since 6.12 says itself which frame is the PC', () => {
    const text =
      'Call trace:\n f+0x24/0x38 [mod] (P)\n g+0x50/0x1d0 (C)\n return_to_handler+0x0/0x20 (TF)\n h+0x8/0x10\n'
    const { events, bad } = decode('oops', text)
    expect(bad).toEqual([])
    expect(events[0]?.frames.map(({ name, owner, pc }) => [name, owner, pc])).toEqual([
      ['f', 'mod', true],
      ['g', undefined, false],
      ['return_to_handler', undefined, false],
      ['h', undefined, false],
    ])
  })
  it('of stacks that are printed one after another belongs to whom each names', () => {
    const stack = (pid: number, comm: string, f: string) =>
      `[    1.000000][    T${pid}] CPU: 0 UID: 0 PID: ${pid} Comm: ${comm} Not tainted 6.12.0\n` +
      `[    1.000001][    T${pid}] Call Trace:\n[    1.000002][    T${pid}]  ${f}+0x1/0x2\n`
    const { events, bad } = decode('oops', stack(5, 'one', 'f') + stack(6, 'two', 'g'))
    expect(bad).toEqual([])
    expect(events.map(({ tid, comm, frames }) => [tid, comm, frames.map(({ name }) => name)])).toEqual([
      [5, 'one', ['f']],
      [6, 'two', ['g']],
    ])
  })
  it('of hung tasks names each of them', () => {
    const text = `[ 363.1] INFO: task kworker/u4:1:39 blocked for more than 120 seconds.
[  363.100001] task:kworker/u4:1    state:D stack:12344 pid:39    tgid:39    ppid:2      flags:0x00004000
[  363.100002] Call Trace:
[  363.100003]  <TASK>
[  363.100004]  __schedule+0x1/0x2
[  363.100005]  </TASK>
[  363.100006] task:my app          state:D stack:0     pid:1041  ppid:1      flags:0x00000002
[  363.100007] Call Trace:
[  363.100008]  schedule+0x1/0x2
`
    const { events } = decode('oops', text)
    expect(events.map(({ pid, tid, comm, frames }) => [pid, tid, comm, frames[0]?.name])).toEqual([
      [39, 39, 'kworker/u4:1', '__schedule'],
      [undefined, 1041, 'my app', 'schedule'],
    ])
  })
  it('of old arm64 has two addresses in a line, which text puts into words', () => {
    const { events, mentions } = decode(
      'oops',
      'pc : [<ffffff8000ef0024>] lr : [<ffffff8000ef0044>] pstate: 60000145\nPC is at f+0x24/0x38 [mod]\n',
    )
    expect(mentions.map(([line, { address, column, pc }]) => [line, address, column, pc])).toEqual([
      [0, 0xffffff8000ef0024n, 7, true],
      [0, 0xffffff8000ef0044n, 33, false],
    ])
    expect(events.map(({ frames }) => frames.map(({ name, offset, pc }) => [name, offset, pc]))).toEqual([
      [['f', 0x24, true]],
    ])
  })
})

it('folded stacks turn around, suffixes and all', () => {
  const { events, bad } = decode(
    'folded',
    'a b;entry+118;f;0xffffffff81000010;u_[i] 3\nno count\nx 18446744073709551615\n',
  )
  expect(events[0]).toMatchObject({ weight: 3n })
  expect(events[0]?.frames.map(({ name, offset, user, address }) => [name, offset, user, address])).toEqual([
    ['u_[i]', undefined, true, undefined],
    [undefined, undefined, false, 0xffffffff81000010n],
    ['f', undefined, false, undefined],
    ['entry', 118, false, undefined],
    ['a b', undefined, false, undefined],
  ])
  expect(events[1]?.weight).toBe(18446744073709551615n)
  expect(bad.map(([line]) => line)).toEqual([1])
})

it('folded stacks with marks or a delimiter say what is the kernel’s', () => {
  const { events, bad } = decode('folded', 'sh;main;read+5;f_[k];g+118_[k] 3\nsh;main;-;f;g+0x8 4\nsh;-;[unknown] 1\n')
  expect(bad).toEqual([])
  expect(events.map(({ frames }) => frames.map(({ name, offset, user }) => [name, offset, user]))).toEqual([
    [
      ['g', 118, false],
      ['f', undefined, false],
      ['read+5', undefined, true],
      ['main', undefined, true],
      ['sh', undefined, true],
    ],
    [
      ['g', 8, false],
      ['f', undefined, false],
      ['-', undefined, true],
      ['main', undefined, true],
      ['sh', undefined, true],
    ],
    [
      ['[unknown]', undefined, false],
      ['-', undefined, true],
      ['sh', undefined, true],
    ],
  ])
})
it('tetragon: decimal strings digit for digit, symbols where addresses are hidden', () => {
  const { events, bad } = decode('tetragon', `${TETRAGON}{"other":1}\n`)
  expect(bad.map(([line]) => line)).toEqual([3])
  expect(events[0]).toMatchObject({
    type: 'kprobe',
    name: 'kfree_skb_reason',
    pid: 51583,
    tid: 51584,
    comm: 'curl',
    ts: 1652273685615123456n,
  })
  expect(events[0]?.frames).toMatchObject([
    { address: 0xffffffffa13f2de5n },
    { address: undefined, name: 'tcp_rcv', offset: 94, owner: 'm' },
    { name: 'zero', offset: 0 },
  ])
  expect(events[1]).toMatchObject({
    type: 'exec',
    pid: 9,
    tid: 10,
    life: { byThread: false, ppid: 8, filename: '/bin/sh', args: '-c x', uid: 0 },
  })
  expect(events[2]).toMatchObject({ type: 'exit', pid: 9, tid: 9, life: { exitCode: 3, groupDead: true } })
})

it('tetragon: the one stack of old versions, both of newer ones, names beside addresses', () => {
  const frame = '{"address":"18446744071579697808","offset":"144","symbol":"vfs_read"}'
  const user = '{"address":"140737353891840","offset":"1234","module":"/lib/libc.so.6","symbol":"write"}'
  const event = (stacks: string) => `{"process_kprobe":{"process":{"pid":1},"function_name":"f",${stacks}}}\n`
  const { events } = decode(
    'tetragon',
    event(`"stack_trace":[${frame}]`) + event(`"kernel_stack_trace":[${frame}],"user_stack_trace":[${user}]`),
  )
  const kernel = { address: 18446744071579697808n, name: 'vfs_read', offset: 144, user: false }
  expect(events.map(({ frames }) => frames)).toMatchObject([
    [kernel],
    [kernel, { address: 140737353891840n, name: 'write', offset: 1234, owner: '/lib/libc.so.6', user: true }],
  ])
})
it('tetragon: killed by a signal there is no exit code; events without a process are events', () => {
  const text = `{"process_exit":{"process":{"pid":9},"signal":"SIGKILL"},"time":"2022-05-11T12:54:47Z"}
{"process_exit":{"process":{"pid":9}},"time":"2022-05-11T12:54:47Z"}
{"process_throttle":{"type":"THROTTLE_START","cgroup":"c"},"node_name":"n","time":"2022-05-11T12:54:47Z"}
{"process_usdt":{"process":{"pid":3,"tid":4},"path":"/lib/libc.so"},"time":"2022-05-11T12:54:47Z"}
`
  const { events, bad } = decode('tetragon', text)
  expect(bad).toEqual([])
  expect(events.map(({ type, pid, tid, life }) => [type, pid, tid, life?.exitCode])).toEqual([
    ['exit', 9, 9, undefined],
    ['exit', 9, 9, 0],
    ['tracepoint', undefined, undefined, undefined],
    ['uprobe', 3, 4, undefined],
  ])
})

describe('tracee as v1beta1', () => {
  const process = (wrap: (value: number) => unknown, key: (name: string) => string) => ({
    [key('host_pid')]: wrap(50),
    pid: wrap(5),
    [key('real_user')]: { id: wrap(1000) },
    thread: {
      name: 'ls',
      [key('host_tid')]: wrap(51),
      tid: wrap(6),
      [key('user_stack_trace')]: { addresses: [{ address: '140737488355327', symbol: '' }] },
    },
    ancestors: [{ [key('host_pid')]: wrap(40), pid: wrap(4) }],
  })
  const camel = (name: string) => name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase())
  it.each([
    ['of protobuf', '2024-01-01T00:00:01.000000005Z', process((value) => value, camel), 'strArray'],
    ['of Go', { seconds: '1704067201', nanos: 5 }, process((value) => ({ value }), String), 'str_array'],
  ])('in the JSON %s', (_, timestamp, made, list) => {
    const event = (name: string, data: object[]) =>
      `${JSON.stringify({ timestamp, id: 1, name, workload: { process: made }, data })}\n`
    const text =
      event('openat', []) +
      event('sched_process_exec', [
        { name: 'pathname', str: '/bin/ls' },
        { name: 'argv', [list]: { value: ['ls', '-l'] } },
      ]) +
      event('sched_process_exit', [
        { name: 'exit_code', int64: '3' },
        { name: 'process_group_exit', bool: false },
      ])
    expect(detectFormat(text, true)?.name).toBe('tracee')
    const { events, bad } = decode('tracee', text)
    expect(bad).toEqual([])
    for (const one of events) expect(one).toMatchObject({ pid: 50, tid: 51, comm: 'ls', ts: 1704067201000000005n })
    expect(events[0]).toMatchObject({ type: 'tracepoint', name: 'openat', frames: [{ address: 140737488355327n }] })
    const who = { byThread: true, ppid: 40, uid: 1000 }
    expect(events[1]).toMatchObject({ type: 'exec', life: { ...who, filename: '/bin/ls', args: '-l' } })
    expect(events[2]).toMatchObject({ type: 'exit', life: { ...who, exitCode: 3, groupDead: false } })
  })
})

it('tracee: numbers beyond 2^53 digit for digit, the host’s process numbers, user stacks', () => {
  const { events } = decode('tracee', TRACEE)
  expect(events[0]).toMatchObject({
    ts: 1684688250477166817n,
    pid: 3242201,
    tid: 3242202,
    name: 'execve',
    type: 'tracepoint',
  })
  expect(events[0]?.frames).toMatchObject([{ address: 140737488355327n, user: true }, { user: true }])
  expect(events[1]).toMatchObject({ type: 'exec', life: { filename: '/bin/ls', args: '-l' } })
})

it('lists of symbols: addresses, names where those are hidden, owners behind a tab or a blank', () => {
  const text = `ffffffffc0201000 t ftrace_trampoline\t[__builtin__ftrace]
ffffffff81000010 T f
0000000000000000 t hidden\t[m]
ffffffffc0b2d010 nft_alloc [nf_tables]
nft_free [nf_tables]
__ftrace_invalid_address___1234
two words here
`
  const { events, bad } = decode('symbols', text)
  expect(bad.map(([line]) => line)).toEqual([6])
  const shape = events.map(({ frames: [frame] }) => [frame?.address, frame?.name, frame?.owner, frame?.length])
  expect(shape).toEqual([
    [0xffffffffc0201000n, 'ftrace_trampoline', '__builtin__ftrace', 16],
    [0xffffffff81000010n, 'f', undefined, 16],
    [undefined, 'hidden', 'm', 0],
    [0xffffffffc0b2d010n, 'nft_alloc', 'nf_tables', 16],
    [undefined, 'nft_free', 'nf_tables', 0],
    [undefined, '__ftrace_invalid_address___1234', undefined, 0],
  ])
})

describe('own JSON', () => {
  it('takes addresses in every way that they are written', () => {
    const { events } = decode('ndjson', NDJSON)
    expect(events[1]?.ts).toBe(1684688250477166818n)
    expect(events[1]?.frames.map(({ address }) => address)).toEqual([
      0xffffffff81000010n,
      0xffffffff81000020n,
      0xffffffff81000030n,
      0xffffffff81000031n,
      0xffffffff81000040n,
      undefined,
    ])
  })
  it.each([
    ['{"type":"exec","pid":4194305}', /pid and tid/],
    ['{"type":"exec","pid":-1}', /pid and tid/],
    ['{"type":"exec","pid":1.5}', /pid and tid/],
    ['{"type":7}', /type/],
    ['{"type":"kprobe","ts":"yesterday"}', /ts/],
    ['{"type":"kprobe","stack":["0xzz"]}', /frame/],
    ['{"type":"kprobe","stack":["18446744073709551616"]}', /frame/],
    ['{"type":"kprobe","stack":{}}', /stack/],
    ['{"type":"kprobe"', /JSON|Expected|Unexpected/i],
    ['[1]', /object/],
  ])('%s is counted with a reason', (line, reason) => {
    const { events, bad } = decode('ndjson', `${line}\n{"type":"exit","pid":1}\n`)
    expect(bad).toEqual([[0, expect.stringMatching(reason)]])
    expect(events).toHaveLength(1)
  })
  it('passes on events of kinds that it does not know', () => {
    expect(decode('ndjson', '{"type":"lsm","pid":1}\n').events[0]).toMatchObject({
      type: 'tracepoint',
      strange: true,
      name: 'lsm',
      pid: 1,
    })
    expect(decode('ndjson', '{"type":"kprobe","pid":1}\n').events[0]?.strange).toBe(false)
  })
})

it('any text: addresses, but not what registers hold', () => {
  const text = 'at ffffffff81000010, 0xffffffff81000020 RAX: ffffffff81000030 xffffffff81000040 id=deadbeef\n'
  expect(decode('any-text', text).events.map(({ frames }) => frames[0]?.address)).toEqual([
    0xffffffff81000010n,
    0xffffffff81000020n,
  ])
})

it('what perf mem says of an access is no frame', () => {
  const access =
    '7fff1234abcd          5080021 |OP LOAD|LVL L1 hit|SNP None|TLB L1 or L2 hit|LCK No|BLK  N/A              12 '
  const head = `cat 4711 [001] 12.345678:     250000 cpu/mem-loads,ldlat=30/P: ${access}`
  const frames =
    '\tffffffff821f2c2b pv_native_safe_halt+0xb ([kernel.kallsyms])\n\tffffffff821ed511 do_syscall_64+0x71 ([kernel.kallsyms])\n'
  const text = `${head}ffffffff821f2c2b pv_native_safe_halt+0xb ([kernel.kallsyms])\n${head}\n${frames}\n`
  const { events, bad } = decode('perf-script', text)
  expect(bad).toEqual([])
  expect(events.map(({ weight, frames: found }) => [weight, found.map(({ name, offset }) => [name, offset])])).toEqual([
    [250_000n, [['pv_native_safe_halt', 11]]],
    [
      250_000n,
      [
        ['pv_native_safe_halt', 11],
        ['do_syscall_64', 113],
      ],
    ],
  ])
  // Put into words it stays the line that it was.
  const column = events[0]?.frames[0]?.column ?? 0
  expect(text.slice(0, column).endsWith('ffffffff821f2c2b')).toBe(true)
})

describe('names with newlines, and what was lost, in perf script', () => {
  const text = `bash   131 372.984459: PERF_RECORD_COMM exec: a
b:131/131
bash   131 [001] 372.984460:          1 sched:sched_process_fork: comm=a
b pid=131 child_comm=a
b child_pid=977
swapper     0 [000] 372.984465: PERF_RECORD_LOST lost 12
bash   131 372.984470: sched:sched_process_exit: comm=never ends
bash   131 372.984471: sched:sched_process_exit: comm=a pid=131 prio=120
`
  it('are put together where the next line shows it, else counted; losses are events', () => {
    const { events, bad } = decode('perf-script', text)
    expect(events.map(({ type, pid, tid, line, life }) => [type, pid, tid, line, life?.comm ?? life?.lost])).toEqual([
      ['exec', 131, 131, 0, 'a\nb'],
      ['fork', undefined, 131, 2, 'a\nb'],
      ['lost', undefined, undefined, 5, 12],
      ['tracepoint', undefined, 131, 6, undefined],
      ['exit', undefined, 131, 7, 'a'],
    ])
    expect(bad.map(([line]) => line)).toEqual([6])
  })

  it('trace-cmd says how many were dropped', () => {
    const { events } = decode('ftrace', 'CPU:1 [12 EVENTS DROPPED]\n')
    expect(events.map(({ type, life }) => [type, life?.lost])).toEqual([['lost', 12]])
  })
})
