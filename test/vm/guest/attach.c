// Loads a BPF program that does nothing for a FUNC of BTF, and attaches it where that is asked for. Each line of the input is
//   KIND SET ID ATTACH      fentry|fexit|fmod_ret, the type set, the FUNC's id, 1 or 0
// and each of the output the same three words, the errors of loading and attaching (-1: not tried), and the verifier's first line.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MOST_SETS 2048
#define LOG_BYTES (1 << 16)

struct set {
  char name[64];
  int fd;
};

static struct set sets[MOST_SETS];
static int set_count;
static char verifier_log[LOG_BYTES];

static int bpf(int command, union bpf_attr *attr) {
  return syscall(__NR_bpf, command, attr, sizeof *attr);
}

static uint64_t pointer(const void *at) {
  return (uint64_t)(uintptr_t)at;
}

/* Opens the kernel's own BTF objects, by which modules' FUNCs are named. */
static void open_sets(void) {
  union bpf_attr attr;
  for (unsigned id = 0; set_count < MOST_SETS;) {
    memset(&attr, 0, sizeof attr);
    attr.start_id = id;
    if (bpf(BPF_BTF_GET_NEXT_ID, &attr)) return;
    id = attr.next_id;
    memset(&attr, 0, sizeof attr);
    attr.btf_id = id;
    int fd = bpf(BPF_BTF_GET_FD_BY_ID, &attr);
    if (fd < 0) continue;
    struct bpf_btf_info info;
    struct set *set = &sets[set_count];
    memset(&info, 0, sizeof info);
    info.name = pointer(set->name);
    info.name_len = sizeof set->name;
    memset(&attr, 0, sizeof attr);
    attr.info.bpf_fd = fd;
    attr.info.info_len = sizeof info;
    attr.info.info = pointer(&info);
    if (bpf(BPF_OBJ_GET_INFO_BY_FD, &attr) || !info.kernel_btf) {
      close(fd);
      continue;
    }
    set->fd = fd;
    set_count++;
  }
}

static int set_named(const char *name) {
  for (int i = 0; i < set_count; i++)
    if (!strcmp(sets[i].name, name)) return sets[i].fd;
  return -1;
}

static int attach_type(const char *kind) {
  if (!strcmp(kind, "fentry")) return BPF_TRACE_FENTRY;
  return strcmp(kind, "fexit") ? BPF_MODIFY_RETURN : BPF_TRACE_FEXIT;
}

int main(void) {
  /* r0 = 0; exit */
  const struct bpf_insn program[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K}, {.code = BPF_JMP | BPF_EXIT}};
  char kind[16], set[64];
  unsigned id;
  int attach;
  open_sets();
  while (scanf("%15s %63s %u %d", kind, set, &id, &attach) == 4) {
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.prog_type = BPF_PROG_TYPE_TRACING;
    attr.insns = pointer(program);
    attr.insn_cnt = sizeof program / sizeof *program;
    attr.license = pointer("GPL");
    attr.expected_attach_type = attach_type(kind);
    attr.attach_btf_id = id;
    if (strcmp(set, "vmlinux")) attr.attach_btf_obj_fd = set_named(set);
    verifier_log[0] = 0;
    attr.log_buf = pointer(verifier_log);
    attr.log_size = sizeof verifier_log;
    attr.log_level = 1;
    int fd = bpf(BPF_PROG_LOAD, &attr), load_error = fd < 0 ? errno : 0, attach_error = -1;
    if (fd >= 0 && attach) {
      memset(&attr, 0, sizeof attr);
      attr.raw_tracepoint.prog_fd = fd;
      int link = bpf(BPF_RAW_TRACEPOINT_OPEN, &attr);
      attach_error = link < 0 ? errno : 0;
      if (link >= 0) close(link);
    }
    if (fd >= 0) close(fd);
    verifier_log[strcspn(verifier_log, "\n")] = 0;
    printf("%s %s %u %d %d %s\n", kind, set, id, load_error, attach_error, load_error ? verifier_log : "");
    fflush(stdout);
  }
  return 0;
}
