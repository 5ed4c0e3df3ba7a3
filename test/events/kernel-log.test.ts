// Kernel logs of every kind: what stacks are in them, whose they are, of what kind. The samples are written after the
// kernel's printk calls and what people publish; on top, a decoder that shares no code counts frames (`log-frames.ts`).

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { TraceEvent } from '../../src/events/event.ts'
import { detectFormat } from '../../src/events/formats.ts'
import { printedSymbols } from './log-frames.ts'
import { decode, output, snapshotOfText } from './samples.ts'

/** A stack in a few words: kind, whose, and its frames with `?` for doubtful ones and `!` for PCs. */
function inWords({ name, comm, tid, frames }: TraceEvent): string {
  const who = tid === undefined ? '' : `${comm ?? ''}/${tid} `
  const words = frames.map((frame) => {
    const owner = frame.owner === undefined ? '' : `@${frame.owner}`
    return `${frame.reliable ? '' : '?'}${frame.name ?? frame.address?.toString(16)}${frame.pc ? '!' : ''}${owner}`
  })
  return `${name === undefined ? '' : `${name}: `}${who}${words.join(' ')}`
}

/** The log with a time in front of each line, as `dmesg` prints it. */
const timed = (text: string) =>
  text
    .split('\n')
    .map((line, i, all) => (i === all.length - 1 && line === '' ? '' : `[  100.${String(i).padStart(6, '0')}] ${line}`))
    .join('\n')

const LOGS: [title: string, text: string, stacks: string[]][] = [
  [
    'x86: a register dump within a trace is one stack to its end',
    timed(`watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [cat:4711]
Modules linked in: drv
CPU: 1 PID: 4711 Comm: cat Not tainted 6.1.0 #1
RIP: 0010:handle_softirqs+0x8b/0x300
Code: 00 89 5c 24 14
RSP: 0018:ffffd492c0003f90 EFLAGS: 00000246
Call Trace:
 <IRQ>
 irq_exit_rcu+0x50/0x200
 </IRQ>
 <TASK>
 asm_sysvec_apic_timer_interrupt+0x1a/0x20
RIP: 0010:drv_read+0x44/0x200 [drv]
Code: 48 89 e5 41 57
RSP: 0018:ffffc9000e4b0640 EFLAGS: 00000297
RAX: 0000000080000001 RBX: 00000000ffffffff RCX: 0000000000000000
FS:  0000000000000000(0000) GS:ffff888237c00000(0000) knlGS:0000000000000000
 ? drv_read+0x30/0x200 [drv]
 vfs_read+0x90/0x200
 entry_SYSCALL_64_after_hwframe+0x70/0x100
RIP: 0033:0x7f52e345dece
RSP: 002b:00007ffd1c1b0a48 EFLAGS: 00000246 ORIG_RAX: 0000000000000000
 </TASK>
`),
    [
      'cat/4711 handle_softirqs! irq_exit_rcu asm_sysvec_apic_timer_interrupt drv_read!@drv ?drv_read@drv vfs_read entry_SYSCALL_64_after_hwframe',
    ],
  ],
  [
    'KASAN: a stack each for the access, the allocation and what freed it',
    timed(`BUG: KASAN: slab-use-after-free in drv_read+0x40/0x200 [drv]
Read of size 8 at addr ffff888112fb0800 by task cat/4711

CPU: 1 UID: 0 PID: 4711 Comm: cat Tainted: G    B   6.12.0 #1
Call Trace:
 <TASK>
 dump_stack_lvl+0x50/0x100
 drv_read+0x40/0x200 [drv]
 </TASK>

Allocated by task 4700:
 kasan_save_stack+0x20/0x100
 drv_init+0x30/0xe00 [drv 0123456789abcdef]

Freed by task 4701 on cpu 0 at 27.5s:
 kasan_save_stack+0x20/0x100
 kfree+0x80/0x400

Last potentially related work creation:
 kasan_save_stack+0x20/0x100
 call_rcu+0x80/0x400

The buggy address belongs to the object at ffff888112fb0800
 which belongs to the cache kmalloc-64 of size 64
The buggy address belongs to the physical page:
page: refcount:1 mapcount:0 mapping:0000000000000000 index:0x0 pfn:0x112fb0
page_owner tracks the page as allocated
page last allocated via order 0, migratetype Unmovable, gfp_mask 0xcc0(GFP_KERNEL), pid 1, tgid 1 (init), ts 900, free_ts 0
 post_alloc_hook+0x1d3/0x210
 get_page_from_freelist+0xb9f/0x1500
page last free pid 77 tgid 76 stack trace:
 __free_frozen_pages+0x80/0x400
`),
    [
      'cat/4711 dump_stack_lvl drv_read@drv',
      'Allocated by task 4700: /4700 kasan_save_stack drv_init@drv',
      'Freed by task 4701 on cpu 0 at 27.5s: /4701 kasan_save_stack kfree',
      'Last potentially related work creation: kasan_save_stack call_rcu',
      'page last allocated via order 0, migratetype Unmovable, gfp_mask 0xcc0(GFP_KERNEL), pid 1, tgid 1 (init), ts 900, free_ts 0: init/1 post_alloc_hook get_page_from_freelist',
      'page last free pid 77 tgid 76 stack trace: /77 __free_frozen_pages',
    ],
  ],
  [
    'KASAN before 4.12, SLUB: tasks behind an equals sign, ages, and addresses',
    timed(`BUG kmalloc-64 (Not tainted): Redzone overwritten
-----------------------------------------------------------------------------

INFO: Allocated in drv_init+0x30/0xe00 [drv] age=44 cpu=1 pid=4700
\t__slab_alloc+0x60/0x70
\tdrv_init+0x30/0xe00 [drv]
INFO: Freed in kfree+0x80/0x400 age=12 cpu=0 pid=4701
\tkfree+0x80/0x400
INFO: Slab 0xffffea0004 objects=10 used=1 fp=0x00 flags=0x4080
CPU: 0 PID: 4711 Comm: cat Not tainted 4.4.0 #1
Call Trace:
 [<ffffffff81d91389>] dump_stack+0xc1/0x128
Allocated:
PID = 4700
 [<ffffffff8123e9cf>] __kmalloc+0x50/0x200
`),
    [
      'INFO: Allocated in drv_init+0x30/0xe00 [drv] age=44 cpu=1 pid=4700: /4700 __slab_alloc drv_init@drv',
      'INFO: Freed in kfree+0x80/0x400 age=12 cpu=0 pid=4701: /4701 kfree',
      'cat/4711 dump_stack',
      '/4700 __kmalloc',
    ],
  ],
  [
    'lockdep: a stack for each link of the chain, with and without times',
    `[  400.000001] WARNING: possible circular locking dependency detected
[  400.000005] cat/4711 is trying to acquire lock:
[  400.000006] ffff888112fb0800 (&p->lock){+.+.}-{3:3}, at: vfs_read+0x90/0x200
[  400.000007] 
               the existing dependency chain (in reverse order) is:
[  400.000010] 
               -> #1 (&q->lock){+.+.}-{3:3}:
[  400.000011]        kfree+0x80/0x400
[  400.000012]        drv_init+0x30/0xe00 [drv]
[  400.000013] 
               -> #0 (&p->lock){+.+.}-{3:3}:
[  400.000014]        drv_read+0x40/0x200 [drv]
[  400.000016] 
               other info that might help us debug this:
[  400.000017] 1 lock held by cat/4711:
[  400.000017]  #0: ffff888112fb0800 (&p->lock){+.+.}-{3:3}, at: vfs_read+0x90/0x200
[  400.000017] 
               stack backtrace:
[  400.000018] CPU: 1 PID: 4711 Comm: cat Not tainted 6.1.0 #1
[  400.000019] Call Trace:
[  400.000021]  dump_stack_lvl+0x50/0x100
[  400.000022]  vfs_read+0x90/0x200
{IN-SOFTIRQ-W} state was registered at:
  lock_acquire+0x180/0x300
  _raw_spin_lock+0x30/0x40
`,
    [
      '-> #1 (&q->lock){+.+.}-{3:3}: kfree drv_init@drv',
      '-> #0 (&p->lock){+.+.}-{3:3}: drv_read@drv',
      'cat/4711 dump_stack_lvl vfs_read',
      '{IN-SOFTIRQ-W} state was registered at: lock_acquire _raw_spin_lock',
    ],
  ],
  [
    'KMSAN, KCSAN, KFENCE: reports without "Call Trace:"',
    timed(`BUG: KMSAN: uninit-value in vfs_read+0x90/0x200
 vfs_read+0x90/0x200
 ksys_read+0x60/0x100

Uninit was created at:
 __kmalloc+0x50/0x200

BUG: KCSAN: data-race in one+0x10/0x20 / two+0x30/0x40

write to 0xffffffffc009a628 of 8 bytes by task 487 on cpu 0:
 one+0x10/0x20
 kthread+0xda/0x100
read to 0xffffffffc009a628 of 8 bytes by interrupt on cpu 5:
 two+0x30/0x40

value changed: 0x00 -> 0x01

BUG: KFENCE: invalid free in test_double_free+0xdc/0x171

Invalid free of 0xffff8c2aae244fe0 (in kfence-#33):
 test_double_free+0xdc/0x171

kfence-#33 [0xffff8c2aae244fe0-0xffff8c2aae244fff, size=32, cache=kmalloc-32] allocated by task 116:
 test_alloc+0xf0/0x6ff
`),
    [
      'BUG: KMSAN: uninit-value in vfs_read+0x90/0x200: vfs_read ksys_read',
      'Uninit was created at: __kmalloc',
      'write to 0xffffffffc009a628 of 8 bytes by task 487 on cpu 0: /487 one kthread',
      'read to 0xffffffffc009a628 of 8 bytes by interrupt on cpu 5: two',
      'Invalid free of 0xffff8c2aae244fe0 (in kfence-#33): test_double_free',
      'kfence-#33 [0xffff8c2aae244fe0-0xffff8c2aae244fff, size=32, cache=kmalloc-32] allocated by task 116: /116 test_alloc',
    ],
  ],
  [
    'kmemleak: names, addresses, and hashes in place of addresses',
    `unreferenced object 0xffff880039a55260 (size 64):
  comm "cat", pid 4711, jiffies 4298984475 (age 16.078s)
  hex dump (first 32 bytes):
    2f 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00  /...............
  backtrace (crc 1a2b3c4d):
    __kmalloc+0x50/0x200
    drv_read+0x40/0x200 [drv]
unreferenced object 0xffff880039a55260 (size 64):
  comm "dd", pid 4712, jiffies 4298984475 (age 16.078s)
  backtrace:
    [<00000000d4b3b027>] do_syscall_64+0x7c/0x180
    [<ffffffff81002450>] __kmalloc+0x50/0x200
`,
    ['cat/4711 __kmalloc drv_read@drv', 'dd/4712 do_syscall_64 __kmalloc'],
  ],
  [
    'x86 before 4.x: marks within the line, the PC in brackets twice, and once more at the end',
    timed(`BUG: unable to handle kernel NULL pointer dereference at 000000000000000a
IP: [<ffffffffc0a00040>] drv_read+0x40/0x200 [drv]
Oops: 0000 [#1] SMP
CPU: 67 PID: 4711 Comm: cat
RIP: 0010:[<ffffffffc0a00040>]  [<ffffffffc0a00040>] drv_read+0x40/0x200 [drv]
RSP: 0018:ffff880066befc88  EFLAGS: 00010006
Stack:
 ffff880066befc88 ffffffff81001290 0000000000000000 ffffffff81001460
Call Trace:
 <IRQ>
 [<ffffffff81001e50>] irq_exit+0x50/0x200
 <EOI>  [<ffffffff81001290>] ? vfs_read+0x90/0x200
 <<EOE>>  [<ffffffff81001460>] ksys_read+0x60/0x100
 [<ffffffff81001470>] 0xffffffff81001470
Code: 00 00
RIP  [<ffffffffc0a00040>] drv_read+0x40/0x200 [drv]
 RSP <ffff880066befc88>
`),
    ['cat/4711 drv_read!@drv irq_exit ?vfs_read ksys_read ffffffff81001470'],
  ],
  [
    'tasks before 5.10, without and with a stack pointer, running ones, and their names',
    timed(`INFO: task init:2293 blocked for more than 120 seconds.
      Not tainted 4.19.0 #53
"echo 0 > /proc/sys/kernel/hung_task_timeout_secs" disables this message.
init            D ffff88008ad8f5b0     0  2293      1 0x00000000
Call Trace:
 schedule+0x90/0x200
my app          D    0  4711      1 0x00000080
Call Trace:
 do_wait+0x30/0x100
cat             R  running task        0  4712      1 0x00000008
Call Trace:
 one+0x30/0x100
`),
    ['init/2293 schedule', 'my app/4711 do_wait', 'cat/4712 one'],
  ],
  [
    '32-bit ARM: pairs of calls, with addresses and without, behind the PC',
    timed(`Internal error: Oops: 5 [#1] SMP ARM
CPU: 0 PID: 7464 Comm: cat Not tainted 5.10.2 #14
PC is at show_stack+0x20/0x24
LR is at dump+0x10/0x20
pc : [<c018d710>]    lr : [<c0101034>]    psr: 600f0193
Process cat (pid: 7464, stack limit = 0x8f)
Stack: (0xc6737d80 to 0xc6738000)
7d80: 00000000 c0129d1c
Backtrace:
[<c018d6f0>] (show_stack) from [<c018de80>] (rcu_check_callbacks+0x7a0/0x7a8 [drv])
 r7:00000001 r6:600f0193 r5:00000000 r4:c1260dfc
[<c018de80>] (rcu_check_callbacks [drv]) from [<c0192868>] (update_process_times+0x38/0x68)
[<c0192868>] (update_process_times) from [<c0101000>] (ret_fast_syscall+0x0/0x54)
Exception stack(0xc6737fa8 to 0xc6737ff0)
7fa0:                   2000a000 00000000 20144000 20343ff8 2015d000 00000000
Code: e5943000 e1a00004 (e5933000)
---[ end trace 0000000000000000 ]---
task:rcu_sched       state:I stack:0     pid:14    tgid:14    ppid:2      flags:0x00000000
 one from two+0x38/0x68 [drv]
 two [drv] from ret_from_fork+0x0/0x54
`),
    [
      'cat/7464 show_stack! rcu_check_callbacks@drv update_process_times ret_fast_syscall',
      'rcu_sched/14 one two@drv ret_from_fork',
    ],
  ],
  [
    'riscv: epc and ra, and a trace without a title',
    timed(`CPU: 7 PID: 0 Comm: swapper/7 Not tainted 6.6.25 #20
epc : schedule_tail+0x72/0x100
 ra : schedule_tail+0x70/0x100
epc : ffffffff80002072 ra : ffffffff80002070 sp : ff2000000013bed0
 gp : ffffffff8202d8a0 tp : ff60000080289900 t0 : ff200000006d35c0
status: 0000000200000120 badaddr: 0000000000000000 cause: 8000000000000001
[<ffffffff80002072>] schedule_tail+0x72/0x100
[<ffffffff80001100>] ret_from_exception+0x0/0x20
---[ end trace 0000000000000000 ]---
`),
    ['swapper/7/0 schedule_tail! ret_from_exception'],
  ],
  [
    'powerpc: NIP and LR, doubtful frames, an interrupt within the trace',
    timed(`Oops: Kernel access of bad area, sig: 11 [#1]
CPU: 0 PID: 12 Comm: kworker/0:1 Not tainted 5.4.0 #0
NIP:  c0000000001002ac LR: c000000000100284 CTR: 0000000000000000
REGS: c00000007a3ef6e0 TRAP: 0380   Not tainted  (5.4.0)
GPR00: c00000000022d784 c00000007a3ef970 c000000001f24600 0000000000004000
NIP [c0000000001002ac] partition_sched+0xac/0x200
LR [c000000000100284] partition_sched+0x84/0x200
Call Trace:
[c000003fdc18bc80] [c000000000100284] partition_sched+0x84/0x200 (unreliable)
[c000003fdc18bd40] [c00000000010015c] .decrementer_common+0x15c/0x200
--- interrupt: 901 at .raw_local_irq_restore+0x74/0x90
    LR = .cpuidle+0x10/0x20
[c000003fdc18bda0] [c0000000001005f0] .kthread+0x1f0/0x200
--- interrupt: 900 at plpar_hcall_norets+0x1c/0x28
NIP:  c0000000000f6d3c LR: c000000000b9a3d4 CTR: 0000000000000000
REGS: c0000000fffbbd60 TRAP: 0900   Not tainted
NIP [c0000000000f6d3c] plpar_hcall_norets+0x1c/0x28
LR [c000000000b9a3d4] shared_cede_loop+0x74/0x170
--- interrupt: 900
[c000003fdc18be30] [c00000000010065c] ret_from_kernel_thread+0x5c/0x100
Instruction dump:
ebe1fff8 7d908120 4e800020
`),
    [
      'kworker/0:1/12 partition_sched! ?partition_sched .decrementer_common .raw_local_irq_restore! .kthread plpar_hcall_norets! ret_from_kernel_thread',
    ],
  ],
  [
    's390: the PSW, doubtful frames in parentheses, the last branch',
    timed(`Unable to handle kernel pointer dereference in virtual kernel address space
Oops: 0004 ilc:3 [#1] SMP
CPU: 1 PID: 4711 Comm: cat Not tainted 5.15.0 #1
Krnl PSW : 0704c00180000000 000000000013a1b2 (drv_read+0x12/0x40 [drv])
           R:0 T:1 IO:1 EX:1 Key:0 M:1 W:0 P:0 AS:3 CC:0 PM:0 RI:0 EA:3
Krnl GPRS: 0000000000000000 000003ff80123456 0000000000000000 0000000000000000
Krnl Code: 000000000013a1a6: c0e500000000\tbrasl\t%r14,000000000013a1a6
Call Trace:
 [<000000000013a1b2>] drv_read+0x12/0x40 [drv]
([<000000000078d0a0>] vfs_read+0x90/0x200)
 [<000000000078d0b0>] system_call+0x10/0x20 
Last Breaking-Event-Address:
 [<00000000001a2b3c>] memcpy+0x10/0x20
`),
    ['cat/4711 drv_read!@drv ?vfs_read system_call', 'Last Breaking-Event-Address: memcpy'],
  ],
  [
    'loongarch, MIPS, sparc64, sparc',
    timed(`CPU: 1 PID: 1 Comm: swapper/0 Not tainted 6.6.0 #1
pc 9000000000212345 ra 9000000000212340 tp 9000000100120000 sp 9000000100123e50
   ra: 9000000000212340 init_one+0x10/0x20
  ERA: 9000000000212345 init_one+0x15/0x20
Call Trace:
[<9000000000212345>] init_one+0x15/0x20
[<9000000000224b2c>] show_stack+0x2c/0x100

CPU: 0 PID: 4711 Comm: cat Not tainted 5.4.0 #1
epc   : 80123456 drv_read+0x12/0x40 [drv]
ra    : 80123460 vfs_read+0x22/0x40
Call Trace:
[<80123456>] drv_read+0x12/0x40 [drv]
[<80123470>] vfs_read+0x32/0x40

CPU: 0 PID: 4712 Comm: dd Not tainted 5.4.0 #1
TPC: <one+0x12/0x40>
Call Trace:
 [000000000045a1b4] two+0x14/0x60
[f0123456 : three+0x10/0x20 ]
`),
    ['swapper/0/1 init_one! show_stack', 'cat/4711 drv_read!@drv vfs_read', 'dd/4712 one! two three'],
  ],
  [
    "decode_stacktrace.sh's and syzkaller's words: places in the source",
    `[   20.000001] WARNING: CPU: 1 PID: 4711 at fs/read_write.c:1 vfs_read (fs/read_write.c:469)
[   20.000002] CPU: 1 PID: 4711 Comm: cat Not tainted 6.1.0 #1
[   20.000003] RIP: 0010:vfs_read (fs/read_write.c:469 (discriminator 1))
[   20.000004] Call Trace:
[   20.000005] <TASK>
[   20.000006] ? kfree (mm/slub.c:1 mm/slub.c:2)
[   20.000007] drv_read (/src/drv.c:12) drv
[   20.000008] gone+0x10/0x20 drv
[   20.000009] </TASK>
[   20.000010] Call Trace:
[   20.000011]  __dump_stack lib/dump_stack.c:77 [inline]
[   20.000012]  dump_stack+0x1d3/0x2c6 lib/dump_stack.c:113
`,
    ['cat/4711 vfs_read! ?kfree drv_read@drv gone@drv', 'cat/4711 __dump_stack dump_stack'],
  ],
  [
    'lockdep: a stack that begins in the line of its heading',
    timed(`... which became HARDIRQ-irq-unsafe at:
...  lock_acquire+0x180/0x300
  _raw_spin_lock+0x30/0x40
stack backtrace:
CPU: 0 PID: 3 Comm: dd Not tainted 4.4.0 #1
Call Trace:
 [<ffffffff81d91389>] dump_stack+0xc1/0x128
`),
    ['... which became HARDIRQ-irq-unsafe at: lock_acquire _raw_spin_lock', 'dd/3 dump_stack'],
  ],
  [
    'x86 of 32 bits: the PC in two lines, and once more at the end',
    timed(`BUG: unable to handle kernel NULL pointer dereference at virtual address 00000000
Modules linked in: drv
CPU:    0
EIP:    0060:[<c0123456>]    Not tainted VLI
EFLAGS: 00010246   (2.6.18-8.el5 #1)
EIP is at drv_read+0x12/0x40 [drv]
eax: 00000000   ebx: c1234567   ecx: 00000000   edx: 00000000
Process cat (pid: 4711, ti=c1234000 task=c1234567 task.ti=c1234000)
Stack: c1234567 00000000
Call Trace:
 [<c0101234>] vfs_read+0x90/0x200
 [<c0101300>] syscall_call+0x7/0xb
Code: 00 00
EIP: [<c0123456>] drv_read+0x12/0x40 [drv] SS:ESP 0068:c1234f00
`),
    ['cat/4711 drv_read!@drv vfs_read syscall_call'],
  ],
  [
    'without symbols: addresses alone, with what OpenWrt says of modules',
    `<1>[   29.641528] CPU 0 Unable to handle kernel paging request at virtual address 00000000, epc == 803cf5a4, ra == 83178634
<4>[   29.667325] CPU: 0 PID: 1439 Comm: hostapd Not tainted 4.14.167 #0
<4>[   29.698650] $ 0   : 00000000 fffffff8 00000000 00000000
<4>[   29.783356] epc   : 803cf5a4 0x803cf5a4
<4>[   29.790996] ra    : 83178634 0x83178634 [mt76_usb@83178000+0x2290]
<4>[   29.791000] Call Trace:
<4>[   29.791001] [<803cf5a4>] 0x803cf5a4
<4>[   29.791002] [<83178634>] 0x83178634 [mt76_usb@83178000+0x2290]
<7>[79512.566261] Call trace:
<7>[79512.568692]  0xffffffc00818ff8c
<7>[79512.571817]  0xffffffc000c81e2c [netatop@000000006b7888f1+0x12000]
`,
    ['hostapd/1439 803cf5a4 83178634@mt76_usb', 'hostapd/1439 ffffffc00818ff8c ffffffc000c81e2c@netatop'],
  ],
  [
    'the crash utility and drgn',
    `crash> bt
PID: 1806     TASK: ffff88810bc40000  CPU: 4    COMMAND: "insmod"
 #0 [ffff88810cef7240] machine_kexec at ffffffff9cf9338f
 #1 [ffff88810cef75a0] asm_exc_page_fault at ffffffffa000122b
    [exception RIP: drv_init+53]
    RIP: ffffffffc14c0105  RSP: ffff88810cef76f0  RFLAGS: 00010282
    RAX: 0000000000000008  RBX: ffff88810cef77d0  RCX: 0000000000000001
    ORIG_RAX: ffffffffffffffff  CS: 0010  SS: 0018
 #2 [ffff88810cef7640] drv_read at ffffffffc14c0123 [drv]
PID: 1807     TASK: ffff88810bc40000  CPU: 4    COMMAND: "cat"
 #0 [ffff88810cef7240] __schedule at ffffffff9cf9338f

#0  context_switch (./kernel/sched/core.c:4683:2)
#1  asm_sysvec_call+0x1a/0x20 (arch/x86/include/asm/idtentry.h:632)
#2  0xffffffff9cf9338f
`,
    [
      'insmod/1806 machine_kexec asm_exc_page_fault drv_init! drv_read@drv',
      'cat/1807 __schedule',
      'cat/1807 context_switch asm_sysvec_call ffffffff9cf9338f',
    ],
  ],
  [
    'kdb, the list of page owners, a hypervisor at the same console',
    `kdb> btp 1
Stack traceback for pid 1
0x(ptrval)        1        0  0    0   S  0x(ptrval)  init
Call Trace:
[c60e1db0] [100c82b6] 0x100c82b6 (unreliable)
[c60e1eb0] [c053565c] schedule+0x30/0x5c
(XEN) Xen call trace:
(XEN)    [<ffff82d04023a355>] R credit2.c#csched2_free_domdata+0x65/0xd0
(XEN)    [<ffff82d04023a35a>] F do_softirq+0x65/0xd0
[c60e1f40] [c000e11c] ret_from_syscall+0x0/0x38

Page allocated via order 0, mask 0xcc0(GFP_KERNEL), pid 1, tgid 1 (swapper/0), ts 123 ns
PFN 0x1000 type Unmovable Block 8 type Unmovable Flags 0x0()
 register_early_stack+0x2b/0x60
 init_page_owner+0x34/0x50
`,
    [
      '/1 ?100c82b6 schedule ret_from_syscall',
      'Page allocated via order 0, mask 0xcc0(GFP_KERNEL), pid 1, tgid 1 (swapper/0), ts 123 ns: swapper/0/1 register_early_stack init_page_owner',
    ],
  ],
  [
    'another CPU begins a report within a stack, and tells no caller',
    timed(`CPU: 1 PID: 20679 Comm: dd Not tainted 4.16.0+ #288
INFO: task kworker/0:3:7985 blocked for more than 120 seconds.
Call Trace:
 dump_stack+0x1a7/0x27d
      Not tainted 4.16.0+ #288
 should_fail+0x914/0xae0
FAULT_INJECTION: forcing a failure.
name failslab, interval 1, probability 0, space 0, times 0
 lock_acquire+0x1d5/0x580
kworker/0:3     D21600  7985      2 0x80000000
Call Trace:
 schedule+0x92/0x180
`),
    ['dd/20679 dump_stack should_fail lock_acquire', 'kworker/0:3/7985 schedule'],
  ],
  [
    'lines without line ends between',
    '[ 2052.055150][ T1668] Call trace: [ 2052.055152][ T1668] __switch_to+0x25c/0x41c [ 2052.055154][ T1668] __schedule+0x6a0/0xaac [ 2052.055172][ T1668] task:Default state:D stack: 0 pid: 9436 ppid: 828 flags:0x04000800 [ 2052.055175][ T1668] Call trace: [ 2052.055177][ T1668] __switch_to+0x25c/0x41c\n',
    ['__switch_to __schedule', 'Default/9436 __switch_to'],
  ],
  ['frames and nothing else', 'vfs_read+0x90/0x200\nksys_read+0x60/0x100\n', ['vfs_read ksys_read']],
  [
    'two printers at once are told apart by the caller',
    `[  1.000001][   T11] CPU: 0 PID: 11 Comm: one Not tainted 6.12.0
[  1.000001][    C1] CPU: 1 PID: 12 Comm: two Not tainted 6.12.0
[  1.000002][   T11] Call Trace:
[  1.000002][    C1] Call Trace:
[  1.000003][   T11]  a+0x1/0x2
[  1.000003][    C1]  x+0x1/0x2
[  1.000004][   T11]  b+0x1/0x2
[  1.000004][    C1]  y+0x1/0x2
`,
    ['one/11 a b', 'two/12 x y'],
  ],
]

const WORDS = [
  'Kernel panic - not syncing: Fatal exception',
  'CPU: 1 PID: 4711 Comm: cat Tainted: G OE 6.1.0 #1',
  'Call Trace:',
  ' <TASK>',
  ' panic+0x110/0x400',
  ' ? drv_read+0x40/0x200 [drv]',
  ' vfs_read+0x90/0x200',
  ' </TASK>',
]
const PREFIXES = [
  '',
  '[   12.345678] ',
  '[   12.345678][ T4711] ',
  '[   12.345678] [ T4711] ',
  '[   12.345678@1] ',
  '[   12.345678 <    0.000003>] ',
  '[  +0.000003] ',
  '<4>[   12.345678] ',
  '<4>',
  '4,1234,12345678,-;',
  '4,1234,12345678,-,caller=T4711;',
  '6.1.0,4,1234,12345678,-;',
  'kern  :warn  : [   12.345678] ',
  'kern  :warn  : [Mon Nov 28 19:10:02 2026] ',
  '[Mon Nov 28 19:10:02 2026] ',
  '[Nov28 19:10] ',
  '2026-11-28T19:10:02,123456+00:00 ',
  '[2026-11-28T19:10:02.123Z] [   12.345678] ',
  '2026-11-28T19:10:02.1234567Z [   12.345678] ',
  '[19:10:02] ',
  'Nov 28 19:10:02 host kernel: ',
  'Nov 28 19:10:02 host kernel: [   12.345678] ',
  'Nov  8 19:10:02.123456 host.example kernel: ',
  'Mon 2026-11-28 19:10:02 UTC host kernel: ',
  '2026-11-28T19:10:02.123456+00:00 host kernel: [   12.345678] ',
  '2026-11-28T19:10:02+0000 host kernel: ',
  '1764357002.123456 host kernel: ',
  '[   12.345678] host kernel: ',
  'Mon Nov 28 19:10:02 2026 kern.warn kernel: [   12.345678] ',
  'Nov 28 19:10:02 host user.warn kernel: [   12.345678] ',
  '11-28 19:10:02.123  1234  1235 W kernel  : ',
  '11-28 19:10:02.123 E/kernel  ( 1234): <4>[   12.345678] ',
  '[   12.345678] c1   4711 ',
  '[   12.345678] c1 ',
  '[   12.345678]  (1)[4711:cat]',
  '[   12.345678] -(1)[4711:cat]',
  '[   12.345678] [1:            cat: 4711] ',
  '[   12.345678] I[1:            cat: 4711] ',
  '[   12.345678s][pid:4711,cpu1,cat]',
  '** 12 printk messages dropped ** [   12.345678] ',
  'service-1  | [   12.345678] ',
  'service-1  | ',
  '> [   12.345678] ',
  '> ',
  'root@host:~# [   12.345678] ',
  '[22:22:59:896] [   12.345678] ',
  '  1277.666152:   <4> (01-28 07:22:34.265420763) ',
  '    Nov 28 19:10:02 kernel: ',
  '2022-04-29T17:06:40.443064Z WARNING kernel: [   12.345678] ',
  '\x1b[32m[   12.345678] \x1b[0m',
]

describe('kernel logs', () => {
  it.each(LOGS)('%s', (_, text, stacks) => {
    const { events, bad } = decode('oops', text)
    expect(bad).toEqual([])
    expect(events.map(inWords)).toEqual(stacks)
    expect(detectFormat(text, true)?.name).toBe('oops')
  })
  it.each(PREFIXES)('behind %j', (prefix) => {
    for (const behind of ['\n', '\r\n', ' \r\r\n', '\x1b[0m\n', '\xe2\x90\x8d\xe2\x90\x8a\n']) {
      const text = WORDS.map((line) => prefix + line + behind).join('')
      expect(detectFormat(text, true)?.name).toBe('oops')
      expect(decode('oops', text).events.map(inWords)).toEqual(['cat/4711 panic ?drv_read@drv vfs_read'])
    }
  })
  it("as journald's JSON", () => {
    const text = WORDS.map(
      (line, i) => `{"__REALTIME_TIMESTAMP":"17${i}","_TRANSPORT":"kernel","MESSAGE":"${line}","PRIORITY":"4"}\n`,
    ).join('')
    expect(detectFormat(text, true)?.name).toBe('oops')
    expect(decode('oops', text).events.map(inWords)).toEqual(['cat/4711 panic ?drv_read@drv vfs_read'])
  })
  it.each([
    [
      'of containers',
      (line: string) => JSON.stringify({ log: `${line}\n`, stream: 'stdout', time: '2024-01-02T03:04:05.1Z' }),
    ],
    ['of collectors', (line: string) => JSON.stringify({ ts: 1, level: 'warn', msg: line })],
    [
      'with messages as bytes',
      (line: string) => JSON.stringify({ _TRANSPORT: 'kernel', MESSAGE: [...Buffer.from(`${line}\x1b[0m`)] }),
    ],
    [
      'of journalctl -o export',
      (line: string) => `__CURSOR=s=1\n${'_FIELD=x+0x1/0x2\n'.repeat(12)}_TRANSPORT=kernel\nMESSAGE=${line}\n`,
    ],
  ])('as records %s', (_, record) => {
    const text = WORDS.map((line) => `${record(`[   12.345678] ${line}`)}\n`).join('')
    expect(detectFormat(text, true)?.name).toBe('oops')
    expect(decode('oops', text).events.map(inWords)).toEqual(['cat/4711 panic ?drv_read@drv vfs_read'])
  })
  it('no frame is lost or made up, by the count of other code', () => {
    for (const [, text] of LOGS) expect(compare(text)).toEqual({ lost: [], invented: [] })
  })
})

it('text put into words twice is as it was, and has the same frames', async () => {
  const symbols = await snapshotOfText(
    'ffffffff81001200 T vfs_read\nffffffff81001400 T ksys_read\nffffffff81001600 T panic\nffffffff81002a00 T end_fn\n',
  )
  const bare = `[   10.000001] CPU: 0 PID: 1 Comm: x Not tainted
[   10.000002] RIP: 0010:[<ffffffff81001290>]
[   10.000003] Call trace:
[   10.000004] [<ffffffff81001490>]
[   10.000005] [<ffffffff81001710>] 0xffffffff81001710
[   10.000006]  0xffffffff81001290
[   10.000007] pc : [<ffffffff81001290>] lr : [<ffffffff81001460>] pstate: 60000145
[   10.000008] some driver at ffffffff81001460 failed
[   10.000009]  [<0000000012345678>] ksys_read+0x60/0x200
`
  const names = async (text: string) => {
    const lines = (await output(Buffer.from(text), symbols, 'ndjson', { input: 'oops' })).toString().trim().split('\n')
    return lines.map((line) => JSON.parse(line).kernel_stack?.map(({ symbol }: { symbol: string }) => symbol))
  }
  for (const text of [bare, ...LOGS.map(([, log]) => log)]) {
    const once = (await output(Buffer.from(text), symbols, 'text')).toString()
    expect((await output(Buffer.from(once), symbols, 'text')).toString()).toBe(once)
    expect(await names(once)).toEqual(await names(text))
  }
  expect((await output(Buffer.from(bare), symbols, 'text')).toString()).toContain('RIP: 0010:[<vfs_read+0x90/0x200>]')
  expect(await names(bare)).toEqual([['vfs_read', 'ksys_read', 'panic', 'vfs_read', 'ksys_read']])
})

/** The frames that the decoder loses and makes up, by `log-frames.ts`. */
function compare(text: string): { lost: string[]; invented: string[] } {
  const printed = printedSymbols(text)
  const key = (line: number, name: string | undefined, offset: number | undefined) => `${line} ${name} ${offset}`
  const may = new Set(printed.map(({ line, name, offset }) => key(line, name, offset)))
  const got = new Map<string, number>()
  const invented: string[] = []
  for (const { frames, frameLines } of decode('oops', text).events)
    frames.forEach(({ name, offset, size }, i) => {
      const found = key(frameLines[i] ?? -1, name, offset)
      got.set(found, (got.get(found) ?? 0) + 1)
      if (size !== undefined && !may.has(found)) invented.push(found)
    })
  const lost: string[] = []
  for (const { line, name, offset, kind } of printed) {
    if (kind !== 'frame') continue
    const count = got.get(key(line, name, offset)) ?? 0
    if (count === 0) lost.push(key(line, name, offset))
    else got.set(key(line, name, offset), count - 1)
  }
  return { lost, invented }
}

/** A folder of kernel logs to count over, such as syzkaller's pkg/report/testdata/linux/report. */
const folder = process.env.KERNDEX_LOGS
describe.skipIf(folder === undefined)('logs of KERNDEX_LOGS', () => {
  it('of 98 % of the frames none is lost, and none is made up', () => {
    const counts = { frames: 0, lost: 0, invented: 0 }
    for (const file of readdirSync(folder ?? '')) {
      const text = readFileSync(join(folder ?? '', file), 'latin1')
      const { lost, invented } = compare(text)
      counts.frames += printedSymbols(text).filter(({ kind }) => kind === 'frame').length
      counts.lost += lost.length
      counts.invented += invented.length
    }
    expect(counts.lost).toBeLessThanOrEqual(counts.frames * 0.02)
    expect(counts.invented).toBe(0)
  })
})
