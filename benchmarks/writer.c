/* The program whose output every peer captures: numbered lines of 100 bytes, counted afterwards.
 *
 * writer REPORTS NAME GO LINES BURST RATE
 *
 * It reports "NAME pid ns" as the other child does, waits until somebody opens the FIFO GO, writes LINES lines to its
 * standard output, BURST of them a write, RATE a second (0: as fast as they are taken), reports "NAME/end pid ns", and
 * then waits to be killed.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE 100
#define MOST_BURST 1000

static int reports;

static void report(const char *name, const char *what)
{
    struct timespec now;
    char line[160];

    clock_gettime(CLOCK_MONOTONIC, &now);
    int length = snprintf(line, sizeof line, "%s%s %d %lld\n", name, what, (int)getpid(),
                          now.tv_sec * 1000000000LL + now.tv_nsec);
    if (write(reports, line, length) != length)
        _exit(3);
}

static void write_all(const char *from, size_t left)
{
    while (left > 0) {
        ssize_t taken = write(STDOUT_FILENO, from, left);
        if (taken < 0)
            _exit(4);
        from += taken;
        left -= taken;
    }
}

static void wait_until(struct timespec *due, long step_ns)
{
    due->tv_nsec += step_ns;
    due->tv_sec += due->tv_nsec / 1000000000L;
    due->tv_nsec %= 1000000000L;
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, due, NULL);
}

int main(int argc, char **argv)
{
    static char text[MOST_BURST * LINE + 1];
    struct timespec due;

    if (argc != 7)
        return 2;
    long lines = atol(argv[4]), burst = atol(argv[5]), rate = atol(argv[6]);
    if (burst < 1 || burst > MOST_BURST)
        return 2;
    reports = open(argv[1], O_WRONLY | O_CLOEXEC);
    if (reports < 0)
        return 3;
    report(argv[2], "");
    if (open(argv[3], O_RDONLY | O_CLOEXEC) < 0)
        return 3;
    clock_gettime(CLOCK_MONOTONIC, &due);
    for (long number = 0; number < lines;) {
        long now = lines - number < burst ? lines - number : burst;
        for (long i = 0; i < now; i++, number++) {
            char *line = text + i * LINE;
            int used = snprintf(line, LINE, "%s %09ld ", argv[2], number);
            memset(line + used, '.', LINE - 1 - used);
            line[LINE - 1] = '\n';
        }
        write_all(text, now * LINE);
        if (rate > 0)
            wait_until(&due, 1000000000L / rate * now);
    }
    report(argv[2], "/end");
    for (;;)
        pause();
}
