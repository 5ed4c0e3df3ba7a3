// A workload with processes of every kind: trees, exec by a thread, leaders that go first, daemons, vfork, CLONE_PARENT, threads, kills,
// zombies, odd names, namespaces, many at once, numbers used again. Its arguments are trace_marker files to which each
// scenario's name is written. Called as `workload leaf`, it is what the others run, and ends.
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int markers[16], marker_count;
static char self[256];

static void scenario(const char *name) {
  char text[64];
  int length = snprintf(text, sizeof text, "scenario %s", name);
  for (int i = 0; i < marker_count; i++)
    if (write(markers[i], text, length) < 0) perror("marker");
}

/* A traced call, so that there is an event between start and end. */
static void touch(void) {
  int fd = open("/dev/null", O_RDONLY);
  if (fd >= 0) close(fd);
}

static void reap(void) {
  while (wait(NULL) > 0) {}
}

static void run(const char *how) {
  execl(self, self, how, (char *)NULL);
  _exit(127);
}

static void leave(void) {
  touch();
  _exit(0);
}

static void tree(int depth) {
  for (int i = 0; i < 3; i++)
    if (fork() == 0) {
      touch();
      if (depth > 1) tree(depth - 1);
      reap();
      _exit(depth);
    }
  reap();
}

static void *waits(void *unused) {
  pause();
  return unused;
}

static void *touches(void *unused) {
  touch();
  usleep(2000);
  touch();
  return unused;
}

static void *runs(void *how) {
  usleep(3000);
  run(how);
  return NULL;
}

static void *forks(void *unused) {
  usleep(3000);
  pid_t child = fork();
  if (child == 0) leave();
  waitpid(child, NULL, 0);
  return unused;
}

static void *named(void *name) {
  prctl(PR_SET_NAME, name);
  touch();
  return NULL;
}

static void start(void *(*what)(void *), void *argument) {
  pthread_t thread;
  pthread_create(&thread, NULL, what, argument);
}

/* In a child of its own, that is waited for. */
#define CHILD(...)            \
  do {                        \
    pid_t child = fork();     \
    if (child == 0) {         \
      __VA_ARGS__;            \
      _exit(0);               \
    }                         \
    waitpid(child, NULL, 0);  \
  } while (0)

/* The main thread alone ends. */
static void end_leader(void) {
  syscall(SYS_exit, 0);
}

static void sleep_then_leave(void) {
  usleep(5000);
  leave();
}

static int in_namespace(void *unused) {
  (void)unused;
  for (int i = 0; i < 2; i++)
    if (fork() == 0) leave();
  reap();
  return 0;
}

static char stack[64 << 10];

static void all(void) {
  scenario("tree");
  CHILD(tree(3));

  scenario("exec");
  for (int i = 0; i < 5; i++) CHILD(run("leaf"));

  scenario("exec chain");
  for (int i = 0; i < 3; i++) CHILD(run("chain5"));

  scenario("exec by a thread");
  for (int i = 0; i < 5; i++) CHILD(start(waits, NULL); start(runs, "leaf"); pause());

  scenario("leader ends first");
  for (int i = 0; i < 5; i++) CHILD(start(forks, NULL); start(touches, NULL); end_leader());

  scenario("leader ends first, then exec");
  for (int i = 0; i < 5; i++) CHILD(start(runs, "leaf"); end_leader());

  scenario("daemon");
  for (int i = 0; i < 5; i++) CHILD(if (fork() == 0) { setsid(); if (fork() == 0) sleep_then_leave(); });
  usleep(30000);

  scenario("subreaper");
  CHILD(prctl(PR_SET_CHILD_SUBREAPER, 1); if (fork() == 0) { if (fork() == 0) sleep_then_leave(); _exit(0); } reap());

  scenario("vfork");
  for (int i = 0; i < 5; i++) {
    pid_t child = vfork();
    if (child == 0) {
      execl(self, self, "leaf", (char *)NULL);
      _exit(127);
    }
    waitpid(child, NULL, 0);
  }

  scenario("CLONE_PARENT");
  CHILD(if (syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0) == 0) leave(); touch());
  reap();

  scenario("threads");
  for (int i = 0; i < 5; i++) CHILD(for (int j = 0; j < 20; j++) start(touches, NULL); usleep(20000));

  scenario("fork by a thread");
  for (int i = 0; i < 5; i++) CHILD(start(forks, NULL); usleep(20000));

  scenario("names of threads");
  CHILD(start(named, "thr name"); start(named, "thr-1 [000]"); start(named, "=> thr"); usleep(10000));

  scenario("group killed");
  for (int i = 0; i < 3; i++) {
    pid_t child = fork();
    if (child == 0) {
      for (int j = 0; j < 3; j++) start(waits, NULL);
      pause();
    }
    usleep(10000);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
  }

  scenario("zombies");
  for (int i = 0; i < 60; i++)
    if (fork() == 0) leave();
  usleep(50000);
  reap();

  static const char *const names[] = {"a b", "# hash", "=> x", "trail ", "x=y", "pid=7", "a pid=9", "b-12 [001]", "[000] 1.5: z",
                                      "p) (q", "child_comm=y", "é", "new\nline", ": q:", "<...>", "1234", ""};
  scenario("odd names");
  for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
    CHILD(prctl(PR_SET_NAME, names[i]); touch(); if (fork() == 0) leave(); reap());

  scenario("pid namespace");
  if (clone(in_namespace, stack + sizeof stack, CLONE_NEWPID | SIGCHLD, NULL) > 0) reap();

  scenario("many at once");
  for (int i = 0; i < 300; i++)
    if (fork() == 0) {
      touch();
      usleep(20000);
      _exit(0);
    }
  reap();

  /* The kernel counts on until pid_max, and begins anew at 300. */
  scenario("numbers used again");
  FILE *bound = fopen("/proc/sys/kernel/pid_max", "w");
  if (bound != NULL) {
    fputs("700", bound);
    fclose(bound);
  }
  for (int i = 0; i < 900; i++)
    if (i % 3 == 0) CHILD(run("leaf"));
    else CHILD(touch());

  scenario("end");
}

int main(int count, char **arguments) {
  if (readlink("/proc/self/exe", self, sizeof self - 1) < 0) return 1;
  const char *how = count > 1 ? arguments[1] : "";
  if (!strcmp(how, "leaf")) leave();
  if (!strncmp(how, "chain", 5)) {
    int more = atoi(how + 5);
    char next[32];
    snprintf(next, sizeof next, "chain%d", more - 1);
    touch();
    run(more > 1 ? next : "leaf");
  }
  for (int i = 1; i < count && marker_count < 16; i++) {
    markers[marker_count] = open(arguments[i], O_WRONLY | O_CLOEXEC);
    if (markers[marker_count] >= 0) marker_count++;
  }
  all();
  return 0;
}
