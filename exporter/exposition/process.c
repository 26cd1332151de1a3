/* SPDX-License-Identifier: Apache-2.0 */
/* process.c - what the kernel knows about this process, from /proc/self; see process.h. */
#include "exporter/exposition/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static int read_file(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

	if (fd >= 0)
		close(fd);
	if (n < 0)
		return 0;
	buf[n] = '\0';
	return 1;
}

/* Seconds from 1970 to boot, as the kernel counts them. */
static double boot_time(void)
{
	char line[256];
	double seconds = -1;
	FILE *f = fopen("/proc/stat", "re");

	while (f && seconds < 0 && fgets(line, sizeof(line), f))
		if (strncmp(line, "btime ", 6) == 0)
			seconds = strtod(line + 6, NULL);
	if (f)
		fclose(f);
	return seconds;
}

/* Fields of /proc/self/stat after the command's name, which may hold anything but ends at the last
 * parenthesis; the first is number 3. */
static void read_stat(struct process *p)
{
	double hz = (double)sysconf(_SC_CLK_TCK), field[25] = { 0 }, boot = boot_time();
	char buf[1024], *at, *end;
	unsigned i;

	if (!read_file("/proc/self/stat", buf, sizeof(buf)) || !(at = strrchr(buf, ')')))
		return;
	at = strchr(at + 2, ' ');	/* past the state, a letter */
	for (i = 4; at && i < 25; i++) {
		field[i] = strtod(at, &end);
		if (end == at)
			return;
		at = end;
	}
	p->cpu_seconds = (field[14] + field[15]) / hz;
	p->threads = field[20];
	p->start_time_seconds = boot < 0 ? -1 : boot + field[22] / hz;
	p->virtual_bytes = field[23];
	p->resident_bytes = field[24] * (double)sysconf(_SC_PAGESIZE);
}

static double count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *e;
	double n = 0;

	if (!dir)
		return -1;
	while ((e = readdir(dir)) != NULL)
		n += e->d_name[0] != '.';
	closedir(dir);
	return n - 1;	/* the directory itself was open */
}

static double limit(int resource)
{
	struct rlimit rl;

	if (getrlimit(resource, &rl) < 0)
		return -1;
	return rl.rlim_cur == RLIM_INFINITY ? INFINITY : (double)rl.rlim_cur;
}

void process_read(struct process *ret_process)
{
	struct process p = { -1, -1, -1, -1, -1, -1, -1, -1 };

	read_stat(&p);
	p.open_fds = count_fds();
	p.max_fds = limit(RLIMIT_NOFILE);
	p.virtual_max_bytes = limit(RLIMIT_AS);
	*ret_process = p;
}
