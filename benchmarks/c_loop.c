/* The limit: start each program of a file again the moment it ends, and do nothing else.
 *
 * c_loop FILE: one program a line, its words split at spaces. Death is seen through one pidfd a child and epoll,
 * a new child comes from posix_spawn. No log, no state, no delay, no limit.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_WORDS 16
#define MOST_EVENTS 64

struct program {
    char *words[MOST_WORDS + 1];
    int pidfd;
};

extern char **environ;
static int watch;

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void start(struct program *program)
{
    pid_t pid;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = program};

    errno = posix_spawn(&pid, program->words[0], NULL, NULL, program->words, environ);
    if (errno != 0)
        fail(program->words[0]);
    program->pidfd = syscall(SYS_pidfd_open, pid, 0); /* the kernel sets close-on-exec */
    if (program->pidfd < 0 || epoll_ctl(watch, EPOLL_CTL_ADD, program->pidfd, &event) < 0)
        fail("pidfd");
}

static void reap(struct program *program)
{
    siginfo_t end;

    if (waitid(P_PIDFD, program->pidfd, &end, WEXITED) < 0)
        fail("waitid");
    close(program->pidfd);
}

static struct program *read_program(char *line)
{
    struct program *program = calloc(1, sizeof *program);
    int words = 0;

    for (char *word = strtok(strdup(line), " \n"); word && words < MOST_WORDS; word = strtok(NULL, " \n"))
        program->words[words++] = word;
    return program;
}

int main(int argc, char **argv)
{
    struct rlimit files;
    struct epoll_event events[MOST_EVENTS];
    char line[4096];
    FILE *list = argc == 2 ? fopen(argv[1], "re") : NULL;

    if (list == NULL)
        fail("c_loop FILE");
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    watch = epoll_create1(EPOLL_CLOEXEC);
    while (fgets(line, sizeof line, list))
        start(read_program(line));
    for (;;) {
        int ended = epoll_wait(watch, events, MOST_EVENTS, -1);
        for (int i = 0; i < ended; i++) {
            reap(events[i].data.ptr);
            start(events[i].data.ptr);
        }
    }
}
