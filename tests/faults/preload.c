/* A disk that can be watched and made to fail: preloaded into a process, it stands between the process and the file system
 * for everything below the folder FAULTS_TREE.
 *
 * What changes that folder is written, in the order in which it happened, to the file FAULTS_TRACE, from which the tests
 * make what a disk would hold after the power went. An fsync is only written down: nothing else here depends on it. With
 * FAULTS_LIE set it is not even that, as on a disk that answers before it wrote.
 *
 * The file FAULTS_CONTROL, a `struct control`, says which operation fails, and how. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* Descriptors that are looked at; a store has some hundred. */
#define MAX_FDS 4096
/* What is kept of a file's path to choose it by: its end. */
#define NAME_BYTES 48

enum kind { WRITE = 1, SYNC = 2, OPEN = 4, CREATE = 8, RENAME = 16, REMOVE = 32, MKDIR = 64, RESIZE = 128, READ = 256 };
enum op { OP_OPEN = 1, OP_WRITE, OP_LENGTH, OP_SYNC, OP_SYNC_FAILED, OP_CLOSE, OP_RENAME, OP_LINK, OP_REMOVE, OP_MKDIR };

struct control {
    uint32_t kinds;
    int32_t error;
    int64_t after; /* operations that pass first; below 0: spent */
    uint32_t sticky;
    uint32_t torn; /* half of a failing write arrives */
    char name[40]; /* part of the file's name; empty: every file */
    uint64_t seen;
    uint64_t failed;
};

struct record {
    uint32_t op;
    int32_t fd;
    int64_t number;
    uint32_t first_bytes;
    uint32_t second_bytes;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static const char *tree;
static size_t tree_bytes;
static int trace = -1;
static int lies;
static volatile struct control *control;
static char tracked[MAX_FDS];
static char names[MAX_FDS][NAME_BYTES];

static void set_up(void)
{
    tree = getenv("FAULTS_TREE");
    tree_bytes = tree ? strlen(tree) : 0;
    lies = getenv("FAULTS_LIE") != NULL;
    const char *path = getenv("FAULTS_TRACE");
    if (path)
        trace = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    path = getenv("FAULTS_CONTROL");
    if (path) {
        int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
        void *page = (void *)syscall(SYS_mmap, NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (page != MAP_FAILED)
            control = page;
    }
}

static void enter(void)
{
    pthread_once(&once, set_up);
    pthread_mutex_lock(&lock);
}

static void leave(void)
{
    int kept = errno;
    pthread_mutex_unlock(&lock);
    errno = kept;
}

/* The path from the root, or NULL when it does not lie in the tree. */
static const char *inside(int at, const char *path, char *room)
{
    if (!tree_bytes || !path)
        return NULL;
    if (path[0] == '/') {
        snprintf(room, PATH_MAX, "%s", path);
    } else {
        char link[64], folder[PATH_MAX];
        if (at == AT_FDCWD || at < 0 || at >= MAX_FDS || !tracked[at])
            return NULL;
        snprintf(link, sizeof link, "/proc/self/fd/%d", at);
        ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, folder, sizeof folder - 1);
        if (length < 0)
            return NULL;
        folder[length] = 0;
        if (snprintf(room, PATH_MAX, "%s/%s", folder, path) >= PATH_MAX)
            return NULL;
    }
    if (strncmp(room, tree, tree_bytes) || (room[tree_bytes] && room[tree_bytes] != '/'))
        return NULL;
    return room + tree_bytes;
}

static int is_tracked(int fd)
{
    return fd >= 0 && fd < MAX_FDS && tracked[fd];
}

static void note(enum op op, int fd, int64_t number, const void *first, size_t first_bytes, const void *second, size_t second_bytes)
{
    if (trace < 0)
        return;
    struct record record = { op, fd, number, (uint32_t)first_bytes, (uint32_t)second_bytes };
    struct iovec parts[3] = {
        { &record, sizeof record }, { (void *)first, first_bytes }, { (void *)second, second_bytes },
    };
    ssize_t whole = (ssize_t)(sizeof record + first_bytes + second_bytes);
    if (syscall(SYS_writev, trace, parts, 3) != whole)
        abort(); /* a trace with a hole would prove nothing */
}

/* Whether this operation is to fail; sets errno. */
static int strikes(enum kind kind, const char *name)
{
    if (!control || !(control->kinds & kind))
        return 0;
    if (control->name[0] && !strstr(name, (const char *)control->name))
        return 0;
    control->seen++;
    if (control->after != 0) {
        if (control->after > 0)
            control->after--;
        return 0;
    }
    if (!control->sticky)
        control->after = -1;
    control->failed++;
    errno = control->error;
    return 1;
}

static int open_at(int at, const char *path, int flags, mode_t mode)
{
    char room[PATH_MAX];
    struct stat found;
    enter();
    const char *within = inside(at, path, room);
    int creates = within && (flags & O_CREAT) && syscall(SYS_faccessat, AT_FDCWD, room, F_OK) != 0;
    int fd = -1;
    if (!within || !strikes(creates ? CREATE : OPEN, within))
        fd = (int)syscall(SYS_openat, at, path, flags, mode);
    if (fd >= 0 && fd < MAX_FDS) {
        tracked[fd] = within != NULL;
        if (within) {
            size_t length = strlen(within);
            size_t skipped = length < NAME_BYTES ? 0 : length - NAME_BYTES + 1;
            snprintf(names[fd], NAME_BYTES, "%s", within + skipped);
            int is_folder = fstat(fd, &found) == 0 && S_ISDIR(found.st_mode);
            note(OP_OPEN, fd, is_folder ? -1 : flags & O_TRUNC, within, length, NULL, 0);
        }
    }
    leave();
    return fd;
}

static mode_t mode_of(int flags, va_list rest)
{
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
}

#define OPENS(name)                                                                                                              \
    int name(const char *path, int flags, ...)                                                                                   \
    {                                                                                                                            \
        va_list rest;                                                                                                            \
        va_start(rest, flags);                                                                                                   \
        mode_t mode = mode_of(flags, rest);                                                                                      \
        va_end(rest);                                                                                                            \
        return open_at(AT_FDCWD, path, flags, mode);                                                                             \
    }
#define OPENS_AT(name)                                                                                                           \
    int name(int at, const char *path, int flags, ...)                                                                           \
    {                                                                                                                            \
        va_list rest;                                                                                                            \
        va_start(rest, flags);                                                                                                   \
        mode_t mode = mode_of(flags, rest);                                                                                      \
        va_end(rest);                                                                                                            \
        return open_at(at, path, flags, mode);                                                                                   \
    }
OPENS(open)
OPENS(open64)
OPENS_AT(openat)
OPENS_AT(openat64)
int __open_2(const char *path, int flags) { return open_at(AT_FDCWD, path, flags, 0); }
int __open64_2(const char *path, int flags) { return open_at(AT_FDCWD, path, flags, 0); }
int creat(const char *path, mode_t mode) { return open_at(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

/* With an offset below 0: where the file stands. */
static ssize_t write_at(int fd, const void *bytes, size_t length, off_t offset)
{
    pthread_once(&once, set_up);
    if (!is_tracked(fd)) /* such as a pipe, where it may wait for long */
        return offset < 0 ? syscall(SYS_write, fd, bytes, length) : syscall(SYS_pwrite64, fd, bytes, length, offset);
    enter();
    int fails = strikes(WRITE, names[fd]);
    ssize_t written = -1;
    if (!fails || control->torn) {
        int kept = errno;
        size_t part = fails ? length / 2 : length;
        written = offset < 0 ? syscall(SYS_write, fd, bytes, part) : syscall(SYS_pwrite64, fd, bytes, part, offset);
        if (written > 0) {
            off_t start = offset < 0 ? (off_t)syscall(SYS_lseek, fd, 0, SEEK_CUR) - written : offset;
            note(OP_WRITE, fd, start, bytes, (size_t)written, NULL, 0);
        }
        if (fails) {
            written = -1;
            errno = kept;
        }
    }
    leave();
    return written;
}

static ssize_t write_parts(int fd, const struct iovec *parts, int count, off_t offset)
{
    ssize_t sum = 0;
    for (int i = 0; i < count; i++) {
        ssize_t written = write_at(fd, parts[i].iov_base, parts[i].iov_len, offset < 0 ? offset : offset + sum);
        if (written < 0)
            return sum ? sum : -1;
        sum += written;
        if ((size_t)written < parts[i].iov_len)
            break;
    }
    return sum;
}

ssize_t write(int fd, const void *bytes, size_t length) { return write_at(fd, bytes, length, -1); }
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) { return write_at(fd, bytes, length, offset); }
ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t offset) { return write_at(fd, bytes, length, offset); }
ssize_t writev(int fd, const struct iovec *parts, int count) { return write_parts(fd, parts, count, -1); }
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) { return write_parts(fd, parts, count, offset); }
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t offset) { return write_parts(fd, parts, count, offset); }

static int read_fails(int fd)
{
    pthread_once(&once, set_up);
    if (!control || !(control->kinds & READ) || !is_tracked(fd))
        return 0;
    enter();
    int fails = strikes(READ, names[fd]);
    leave();
    return fails;
}

ssize_t read(int fd, void *bytes, size_t length) { return read_fails(fd) ? -1 : syscall(SYS_read, fd, bytes, length); }
ssize_t pread(int fd, void *bytes, size_t length, off_t offset) { return read_fails(fd) ? -1 : syscall(SYS_pread64, fd, bytes, length, offset); }
ssize_t pread64(int fd, void *bytes, size_t length, off_t offset) { return pread(fd, bytes, length, offset); }

static int sync_file(int fd, long call)
{
    int result = 0;
    enter();
    if (!is_tracked(fd)) {
        result = (int)syscall(call, fd);
    } else if (strikes(SYNC, names[fd])) {
        note(OP_SYNC_FAILED, fd, 0, NULL, 0, NULL, 0);
        result = -1;
    } else if (!lies) {
        note(OP_SYNC, fd, 0, NULL, 0, NULL, 0);
    }
    leave();
    return result;
}

int fsync(int fd) { return sync_file(fd, SYS_fsync); }
int fdatasync(int fd) { return sync_file(fd, SYS_fdatasync); }
/* Promises nothing about a power failure. */
int sync_file_range(int fd, off_t offset, off_t length, unsigned flags)
{
    pthread_once(&once, set_up);
    return is_tracked(fd) ? 0 : (int)syscall(SYS_sync_file_range, fd, offset, length, flags);
}

int ftruncate(int fd, off_t length)
{
    enter();
    int result = is_tracked(fd) && strikes(RESIZE, names[fd]) ? -1 : (int)syscall(SYS_ftruncate, fd, length);
    if (!result && is_tracked(fd))
        note(OP_LENGTH, fd, length, NULL, 0, NULL, 0);
    leave();
    return result;
}
int ftruncate64(int fd, off_t length) { return ftruncate(fd, length); }

int fallocate(int fd, int mode, off_t offset, off_t length)
{
    enter();
    int result = is_tracked(fd) && strikes(RESIZE, names[fd]) ? -1 : (int)syscall(SYS_fallocate, fd, mode, offset, length);
    struct stat found;
    if (!result && is_tracked(fd) && !(mode & FALLOC_FL_KEEP_SIZE) && fstat(fd, &found) == 0)
        note(OP_LENGTH, fd, found.st_size, NULL, 0, NULL, 0);
    leave();
    return result;
}
int fallocate64(int fd, int mode, off_t offset, off_t length) { return fallocate(fd, mode, offset, length); }
int posix_fallocate(int fd, off_t offset, off_t length) { return fallocate(fd, 0, offset, length) ? errno : 0; }
int posix_fallocate64(int fd, off_t offset, off_t length) { return posix_fallocate(fd, offset, length); }

int close(int fd)
{
    enter();
    if (is_tracked(fd)) {
        note(OP_CLOSE, fd, 0, NULL, 0, NULL, 0);
        tracked[fd] = 0;
    }
    int result = (int)syscall(SYS_close, fd);
    leave();
    return result;
}

int truncate(const char *path, off_t length)
{
    int fd = open_at(AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    int result = ftruncate(fd, length), kept = errno;
    close(fd);
    errno = kept;
    return result;
}
int truncate64(const char *path, off_t length) { return truncate(path, length); }

static int rename_at(int from_at, const char *from, int to_at, const char *to, unsigned flags)
{
    char from_room[PATH_MAX], to_room[PATH_MAX];
    enter();
    const char *source = inside(from_at, from, from_room), *target = inside(to_at, to, to_room);
    int result = source && strikes(RENAME, target ? target : source) ? -1 : (int)syscall(SYS_renameat2, from_at, from, to_at, to, flags);
    if (!result && source && target)
        note(OP_RENAME, -1, flags, source, strlen(source), target, strlen(target));
    leave();
    return result;
}
int rename(const char *from, const char *to) { return rename_at(AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int from_at, const char *from, int to_at, const char *to) { return rename_at(from_at, from, to_at, to, 0); }
int renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags) { return rename_at(from_at, from, to_at, to, flags); }

int linkat(int from_at, const char *from, int to_at, const char *to, int flags)
{
    char from_room[PATH_MAX], to_room[PATH_MAX];
    enter();
    const char *source = inside(from_at, from, from_room), *target = inside(to_at, to, to_room);
    int result = target && strikes(CREATE, target) ? -1 : (int)syscall(SYS_linkat, from_at, from, to_at, to, flags);
    if (!result && source && target)
        note(OP_LINK, -1, 0, source, strlen(source), target, strlen(target));
    leave();
    return result;
}
int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }

int unlinkat(int at, const char *path, int flags)
{
    char room[PATH_MAX];
    enter();
    const char *within = inside(at, path, room);
    int result = within && strikes(REMOVE, within) ? -1 : (int)syscall(SYS_unlinkat, at, path, flags);
    if (!result && within)
        note(OP_REMOVE, -1, 0, within, strlen(within), NULL, 0);
    leave();
    return result;
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

int mkdirat(int at, const char *path, mode_t mode)
{
    char room[PATH_MAX];
    enter();
    const char *within = inside(at, path, room);
    int result = within && strikes(MKDIR, within) ? -1 : (int)syscall(SYS_mkdirat, at, path, mode);
    if (!result && within)
        note(OP_MKDIR, -1, 0, within, strlen(within), NULL, 0);
    leave();
    return result;
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

/* Ways around `write`: refused, so that their callers take it. Files that are mapped for writing would escape. */
ssize_t copy_file_range(int from, off64_t *from_offset, int to, off64_t *to_offset, size_t length, unsigned flags)
{
    if (is_tracked(to)) {
        errno = EXDEV;
        return -1;
    }
    return syscall(SYS_copy_file_range, from, from_offset, to, to_offset, length, flags);
}
ssize_t sendfile64(int to, int from, off64_t *offset, size_t length)
{
    if (is_tracked(to)) {
        errno = EINVAL;
        return -1;
    }
    return syscall(SYS_sendfile, to, from, offset, length);
}
void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
    if (is_tracked(fd) && (protection & PROT_WRITE) && (flags & MAP_SHARED))
        abort();
    return (void *)syscall(SYS_mmap, address, length, protection, flags, fd, offset);
}
void *mmap64(void *address, size_t length, int protection, int flags, int fd, off_t offset) { return mmap(address, length, protection, flags, fd, offset); }
