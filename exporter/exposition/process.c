/* SPDX-License-Identifier: Apache-2.0 */
/* process.c - what the kernel knows about a process, from /proc; see process.h. */
#include "exporter/exposition/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FRESH_NS	1000000000u
#define FORGET_NS	UINT64_C(60000000000)
#define FIELDS		25		/* of /proc/PID/stat, those up to the resident pages */

struct entry {
	pid_t pid;
	uint64_t read_ns;		/* CLOCK_MONOTONIC */
	int error;
	struct process process;
};

struct process_table {
	pthread_mutex_t lock;
	struct entry *entry;
	size_t n, cap;
};

int process_table_create(struct process_table **ret_table)
{
	struct process_table *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	pthread_mutex_init(&t->lock, NULL);
	*ret_table = t;
	return 0;
}

void process_table_free(struct process_table *t)
{
	if (!t)
		return;
	pthread_mutex_destroy(&t->lock);
	free(t->entry);
	free(t);
}

static uint64_t now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* ---- reading -------------------------------------------------------------------------------- */

static int read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return -ESRCH;
	text[n] = '\0';
	return 0;
}

/* Fields of /proc/PID/stat after the command's name, which may hold anything but ends at the last
 * parenthesis; the first is number 3, a letter. */
static int read_stat(pid_t pid, struct process *p)
{
	uint64_t field[FIELDS] = { 0 }, hz = (uint64_t)sysconf(_SC_CLK_TCK), tick;
	char path[64], text[1024], *at, *end;
	unsigned i;

	snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
	if (read_file(path, text, sizeof(text)) < 0)
		return -ESRCH;
	at = strrchr(text, ')');
	at = at && at[1] ? strchr(at + 2, ' ') : NULL;
	for (i = 4; at && i < FIELDS; i++) {
		field[i] = strtoull(at, &end, 10);
		if (end == at)
			return -ESRCH;
		at = end;
	}
	tick = 1000000000u / (hz ? hz : 100);
	p->cpu_ns = (field[14] + field[15]) * tick;
	p->threads = field[20];
	p->start_boot_ns = field[22] * tick;
	p->virtual_bytes = field[23];
	p->resident_bytes = field[24] * (uint64_t)sysconf(_SC_PAGESIZE);
	return 0;
}

static uint64_t count_fds(pid_t pid)
{
	const struct dirent *e;
	struct stat st;
	char path[64];
	uint64_t n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%ld/fd", (long)pid);
	/* Since Linux 6.2 the directory's size is their number. */
	if (stat(path, &st) == 0 && st.st_size > 0)
		return (uint64_t)st.st_size;
	dir = opendir(path);
	if (!dir)
		return PROCESS_UNKNOWN;
	while ((e = readdir(dir)) != NULL)
		n += e->d_name[0] != '.';
	closedir(dir);
	/* Our own list has the directory itself in it. */
	return n - (n && pid == getpid());
}

static int read_process(pid_t pid, struct process *ret_process)
{
	struct process p = { 0 };
	struct rlimit rl;
	int rc = read_stat(pid, &p);

	if (rc < 0)
		return rc;
	p.open_fds = count_fds(pid);
	p.max_fds = prlimit(pid, RLIMIT_NOFILE, NULL, &rl) == 0 && rl.rlim_cur != RLIM_INFINITY ?
		rl.rlim_cur : PROCESS_UNKNOWN;
	*ret_process = p;
	return 0;
}

/* ---- keeping -------------------------------------------------------------------------------- */

/* The entry of a process, or one that nobody asked about for long, or a new one; NULL without
 * memory. */
static struct entry *find_entry(struct process_table *t, pid_t pid, uint64_t now)
{
	struct entry *old = NULL, *grown;
	size_t i;

	for (i = 0; i < t->n; i++) {
		if (t->entry[i].pid == pid)
			return &t->entry[i];
		if (now - t->entry[i].read_ns > FORGET_NS)
			old = &t->entry[i];
	}
	if (!old && t->n == t->cap) {
		grown = realloc(t->entry, (t->cap + 16) * sizeof(*grown));
		if (!grown)
			return NULL;
		t->entry = grown;
		t->cap += 16;
	}
	if (!old)
		old = &t->entry[t->n++];
	*old = (struct entry){ .pid = pid };
	return old;
}

int process_get(struct process_table *t, pid_t pid, uint64_t start_boot_ns,
	struct process *ret_process)
{
	uint64_t now = now_ns(CLOCK_MONOTONIC);
	struct entry *e;
	int rc;

	pthread_mutex_lock(&t->lock);
	e = find_entry(t, pid, now);
	if (e && (!e->read_ns || now - e->read_ns >= FRESH_NS)) {
		e->error = read_process(pid, &e->process);
		e->read_ns = now;
	}
	rc = e ? e->error : -ESRCH;
	if (rc == 0 && start_boot_ns && e->process.start_boot_ns != start_boot_ns)
		rc = -ESRCH;
	if (rc == 0)
		*ret_process = e->process;
	pthread_mutex_unlock(&t->lock);
	return rc;
}

/* ---- the system ----------------------------------------------------------------------------- */

static uint64_t boot_real_ns, namespace;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void look(void)
{
	struct stat st;

	boot_real_ns = now_ns(CLOCK_REALTIME) - now_ns(CLOCK_BOOTTIME);
	if (stat("/proc/self/ns/pid", &st) == 0)
		namespace = st.st_ino;
}

uint64_t process_namespace(void)
{
	pthread_once(&once, look);
	return namespace;
}

uint64_t process_boot_real_ns(void)
{
	pthread_once(&once, look);
	return boot_real_ns;
}
