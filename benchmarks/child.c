/* The program every peer keeps alive: it reports "name pid monotonic-ns" once, then waits to be killed.
 *
 * child REPORTS NAME               stay in the foreground
 * child REPORTS NAME -n FD         also write a line end to FD: readiness as s6 wants it
 * child REPORTS NAME -p PIDFILE    go into the background and leave a pid file: as monit wants it
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void go_into_background(const char *pid_file)
{
    if (fork() != 0)
        _exit(0);
    setsid();
    FILE *file = fopen(pid_file, "w");
    if (file == NULL)
        _exit(3);
    fprintf(file, "%d\n", (int)getpid());
    fclose(file);
}

int main(int argc, char **argv)
{
    struct timespec now;
    char line[128];

    clock_gettime(CLOCK_MONOTONIC, &now);
    if (argc < 3)
        return 2;
    if (argc == 5 && strcmp(argv[3], "-p") == 0)
        go_into_background(argv[4]);
    int length = snprintf(line, sizeof line, "%s %d %lld\n", argv[2], (int)getpid(),
                          now.tv_sec * 1000000000LL + now.tv_nsec);
    int reports = open(argv[1], O_WRONLY | O_CLOEXEC);
    if (reports < 0 || write(reports, line, length) != length)
        return 3;
    close(reports);
    if (argc == 5 && strcmp(argv[3], "-n") == 0 && write(atoi(argv[4]), "\n", 1) != 1)
        return 3;
    for (;;)
        pause();
}
