/* The limit: the system calls that an atomic write cannot do without, and nothing else.
 *
 * statefile_floor FOLDER, with orders as in statefile_worker.py: "LEVEL SIZE COUNT", answered with COUNT times in ns.
 *
 * full    new file, write, fsync, rename, fsync of the folder, whose descriptor stays open
 * file    the same without the fsync of the folder
 * atomic  new file, its blocks reserved so that ext4 does not write it out at the rename, write, rename
 * rename  new file, write, rename
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct level {
    const char *name;
    int reserves, syncs_file, syncs_folder;
};

static const struct level levels[] = {
    {"full", 0, 1, 1},
    {"file", 0, 1, 0},
    {"atomic", 1, 0, 0},
    {"rename", 0, 0, 0},
};

static void fail(const char *what)
{
    perror(what);
    exit(2);
}

static long long now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void replace(int folder, const struct level *level, const char *content, size_t size)
{
    int fd = openat(folder, "temp", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        fail("openat");
    if (level->reserves && posix_fallocate(fd, 0, size) != 0)
        fail("posix_fallocate");
    for (size_t done = 0; done < size;) {
        ssize_t written = write(fd, content + done, size - done);
        if (written <= 0)
            fail("write");
        done += written;
    }
    if (level->syncs_file && fsync(fd) < 0)
        fail("fsync");
    if (close(fd) < 0)
        fail("close");
    if (renameat(folder, "temp", folder, "state.json") < 0)
        fail("renameat");
    if (level->syncs_folder && fsync(folder) < 0)
        fail("fsync of the folder");
}

static const struct level *find_level(const char *name)
{
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (strcmp(levels[i].name, name) == 0)
            return &levels[i];
    fail("no such level");
    return NULL;
}

static int open_own_folder(const char *level, size_t size)
{
    char name[64];

    snprintf(name, sizeof name, "c-%s-%zu", level, size);
    if (mkdir(name, 0700) < 0 && errno != EEXIST)
        fail("mkdir");
    int folder = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        fail("open of the folder");
    return folder;
}

static void obey(const struct level *level, size_t size, int count)
{
    static long long stamp;
    int folder = open_own_folder(level->name, size);
    char *content = malloc(size + 1);

    memset(content, 'x', size);
    for (int i = 0; i < count; i++) {
        char mark[32];
        snprintf(mark, sizeof mark, "%016lld", ++stamp);
        memcpy(content, mark, size < 16 ? size : 16);
        long long began = now_ns();
        replace(folder, level, content, size);
        printf("%lld ", now_ns() - began);
    }
    free(content);
    close(folder);
    puts("");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    char level[16];
    size_t size;
    int count;

    if (argc != 2 || chdir(argv[1]) < 0)
        fail("statefile_floor FOLDER");
    while (scanf("%15s %zu %d", level, &size, &count) == 3)
        obey(find_level(level), size, count);
    return 0;
}
