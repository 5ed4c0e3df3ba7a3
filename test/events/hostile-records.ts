// Records of every text format whose lines hostile shapes are made of: small, and one of each form that a line can have.

export const RECORDS: Readonly<Record<string, readonly (readonly string[])[]>> = {
  'perf-script': [
    [
      'my prog 4474/4475 [001] 2049.411530:     328250 cpu-clock:pppH: ',
      '\tffffffff8207a9a2 vfs_write+0x89 ([kernel.kallsyms])',
      '\t    7f11aa4bf0b7 [unknown] (/usr/lib/x86_64-linux-gnu/libc.so.6)',
      '',
    ],
    ['swapper     0 [000]     0.000000: PERF_RECORD_FORK(1:1):(0:0)'],
    ['init process     0 [000]     0.000000: PERF_RECORD_COMM exec: init process:1/1'],
    ['perf  4472 [000]  2049.357784:       sched:sched_process_fork: comm=a b pid=4472 child_comm=a b child_pid=5'],
    ['   my prog  4472/4473  [000]   ffffffff81000010 f+0x0 ([kernel.kallsyms])'],
    ['my prog  4472        1   cycles:  ffffffff81000010 f+0x0 ([kernel.kallsyms])'],
  ],
  'perf-json': [
    [
      '\t\t{',
      '\t\t\t"timestamp": 204941153,',
      '\t\t\t"pid": 4474,',
      '\t\t\t"callchain": [ { "ip": "0xffffffff81000010" } ]',
      '\t\t},',
    ],
    [
      '{"timestamp": 1, "pid": 2, "callchain": [{"ip": "0xffffffff81000010", "symbol": "f", "dso": "[kernel.kallsyms]"}]}',
    ],
    ['{"linux-perf-json-version": 1, "samples": [{"timestamp": 1, "callchain": []}]}'],
  ],
  bpftrace: [
    [
      'Attaching 2 probes...',
      '@bytes[',
      '    vfs_write+123',
      '    0xffffffff81000010 f+12',
      '    ffffffff81000010',
      ', my prog, 7788]: 12',
    ],
    ['@[', '    fdget+123 (/usr/lib/libc.so)', ']: 1'],
  ],
  'bpftrace-json': [['{"type": "map", "data": {"@": {"\\n    widen_string+3\\n    vsnprintf+5\\n,tracee": 7}}}']],
  ftrace: [
    [
      '# tracer: nop',
      '        my prog-4474    (  4470) [001] d..1.  2049.411530: sched_process_fork: comm=a b pid=4474 child_comm=a b child_pid=9',
      '        my prog-4474    [001] .....  2049.411530: kernel_stack:         <stack trace >',
      '=> do_syscall_64+0x10/0x20 [nf_tables] <ffffffff821ed511>',
      '=> entry_SYSCALL_64_after_hwframe (ffffffff81000130)',
      ' => 0xffffffff81000130',
    ],
    ['          <idle>-0     [000] d.h1. 2049.4: sched_process_exit: comm=a b pid=12 prio=120 group_dead=true'],
    ['            sh-7  1d..2 2049.411530: sched_process_exec: filename=/bin/sh -c pid=7 old_pid=8'],
    ['            sh-7     [001] .....  2049.411530: p_open: (do_sys_open+0x0/0x80 <- ksys+0x1/0x2) a=1'],
    ['            sh-7     [001] .....  2049.411530: <user stack trace>', ' =>  <00007f11aa4bf0b7>'],
    ['CPU:1 [LOST 12 EVENTS]', 'cpus=2', 'version = 6', 'CPU 1 is empty'],
  ],
  'proc-stack': [
    [
      'task 12 (my prog)',
      '[<0>] do_wait+0x10/0x20 [nf_tables]',
      '[<ffffffff81000010>] ? f+0x0/0x10 [m 3f2a9c] (P)',
      '[<ffffffffffffffff>] 0xffffffffffffffff',
    ],
  ],
  oops: [
    [
      'Nov  8 11:12:13 my-host kernel: [  123.456700][  T12] BUG: kernel NULL pointer dereference, address: 0000000000000000',
      '<4>[  123.456760] CPU: 1 PID: 4474 Comm: sh: odd Tainted: G           O       6.1.0 #1',
      '[  123.456789] RIP: 0010:mydriver_write+0x34/0xb0 [mydriver]',
      '[  123.456789] RIP: 0010:[<ffffffff81000010>]  [<ffffffff81000010>] f+0x0/0x10',
      '[  123.456791] RAX: ffffffff8a903050 RBX: 0000000000000000 RCX: ffffffff8a903051',
      '[  123.456800] Call Trace:',
      '[  123.456801]  <TASK>',
      '[  123.456803]  ? ext4_file_write_iter+0x620/0x1af0 [ext4 3f2a9c] (P)',
      '[  123.456804]  [<ffffffff8107c9a2>] kthread+0xda/0x100',
      '[  123.456806] Modules linked in: mydriver(O)',
    ],
    ['pc : mod_fn+0x24/0x38 [mod]', 'pc : [<ffffffff81000010>] lr : [<ffffffff81000010>] pstate: 1', 'Call trace:'],
    [
      'task:my prog     state:D stack:    0 pid:   12 tgid:    12 ppid:     2 flags:0x00004000',
      'Call Trace:',
      ' f+0x0/0x10',
    ],
    ['2026-11-08T11:12:13.123456+00:00 my-host kernel: [1.5] Call Trace:', ' f+0x0/0x10'],
  ],
  folded: [['swapper;common_startup_64_[k];a b+118;c+0x1f_[j];0xffffffff81000010 328250000']],
  tetragon: [
    [
      '{"process_kprobe":{"process":{"pid":5,"tid":6,"binary":"/usr/bin/curl"},"kernel_stack_trace":[{"address":"18446744072119856613","offset":"5","symbol":"f"}]},"time":"2022-05-11T12:54:45.615123456Z"}',
    ],
  ],
  tracee: [
    [
      '{"timestamp":1684688250477166817,"hostProcessId":3,"eventName":"execve","stackAddresses":[140737488355327],"args":[{"name":"argv","value":["ls","-l"]}]}',
    ],
    [
      '{"name": "execve", "timestamp":"2022-05-11T12:54:45Z","workload": {"process": {"pid": {"value": 3}}}, "data": [{"name":"x","u_int32":{"value":1}}]}',
    ],
  ],
  merged: [
    [
      '{"merged":12,"weight":"340","event":"cycles","comm":"my prog","pid":5,"first":"1","last":"9","stack":["0xffffffff81000010",{"address":"0xffffffff81000020","name":"f","offset":3,"user":true}]}',
    ],
  ],
  ndjson: [
    [
      '{"type":"kprobe","pid":5,"ts":1684688250477166818,"stack":["0xffffffff81000010",18446744071578845232,{"symbol":"f","offset":3}],"args":["a","b"]}',
    ],
  ],
  addresses: [['0xffffffff81000010', ' ffffffff81000020 ']],
  symbols: [
    ['ffffffff81000010 T f', 'ffffffffc0201000 t ftrace_trampoline\t[__builtin__ftrace]'],
    ['ffffffffc0b2d010 nft_alloc [nf_tables]', 'nft_alloc [nf_tables]'],
  ],
  'any-text': [['jumped to ffffffff81000010 from RAX: 0xffffffff81000010, x0 : ffffffff81000010 sp=ffffffff81000010;']],
}
