/* SPDX-License-Identifier: Apache-2.0 */
/* doctor_place.c - see doctor.h. */
#include <errno.h>
#include <glob.h>
#include <grp.h>
#include <linux/magic.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "doctor.h"

/* Docker's and Kubernetes' default size of /dev/shm. */
#define CONTAINER_SHM_BYTES (64u << 20)

/* logind counts users from here on as people whose IPC is removed (its own limit is a build
 * option). */
#define FIRST_PERSON_UID 1000u

static void names(uid_t uid, gid_t gid, char *ret_text, size_t size)
{
	const struct passwd *pw = getpwuid(uid);
	const struct group *gr = getgrgid(gid);
	char u[16], g[16];

	snprintf(u, sizeof(u), "%u", uid);
	snprintf(g, sizeof(g), "%u", gid);
	snprintf(ret_text, size, "%s:%s", pw ? pw->pw_name : u, gr ? gr->gr_name : g);
}

void doctor_rights(struct doctor *d, const struct sm_segment_info *info)
{
	unsigned mode = info->mode & 07777;
	char who[128];

	names(info->uid, info->gid, who, sizeof(who));
	if (mode & 0002)
		doctor_fail(d, CLI_DENIED, "rights",
			"chmod o-w the file; whoever may write it may falsify it",
			"%s, mode %04o: anybody can write", who, mode);
	else if (access(info->path, W_OK) != 0)
		doctor_warn(d, "rights",
			"count as its owner, or give all writers a common group: SHARDMETER_GROUP "
			"at the first start",
			"%s, mode %04o: you can read, but not count", who, mode);
	else if (mode & 0020)
		doctor_ok(d, "rights", "%s, mode %04o: the owner and the group count", who, mode);
	else
		doctor_ok(d, "rights",
			"%s, mode %04o: only the owner counts (SHARDMETER_GROUP for others)", who,
			mode);
}

void doctor_space(struct doctor *d, const char *path)
{
	const char *slash = strrchr(path, '/');
	char *directory =
		slash && slash > path ? strndup(path, (size_t)(slash - path)) : strdup("/");
	char total[CLI_TEXT_MAX], left[CLI_TEXT_MAX];
	uint64_t total_bytes, free_bytes;
	struct statfs fs;

	if (!directory || statfs(directory, &fs) != 0) {
		doctor_fail(d, CLI_FAILED, "memory", "mount a tmpfs there, or choose another place",
			"%s: %s", directory ? directory : path, strerror(errno));
		free(directory);
		return;
	}
	total_bytes = (uint64_t)fs.f_blocks * (uint64_t)fs.f_bsize;
	free_bytes = (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize;
	cli_bytes(total_bytes, total);
	cli_bytes(free_bytes, left);
	if (fs.f_type != TMPFS_MAGIC && fs.f_type != RAMFS_MAGIC)
		doctor_warn(d, "memory",
			"use /dev/shm or another tmpfs: on a disk each update is written back",
			"%s is not a tmpfs", directory);
	else if (total_bytes && free_bytes < total_bytes / 10)
		doctor_fail(d, CLI_FAILED, "memory",
			"make it larger (\"shardmeter size\" predicts; docker run --shm-size) or "
			"remove what is not needed: new series are refused when it is full",
			"%s: %s free of %s", directory, left, total);
	else if (total_bytes && total_bytes <= CONTAINER_SHM_BYTES)
		doctor_warn(d, "memory",
			"\"shardmeter size\" predicts what is needed; docker run --shm-size, in "
			"Kubernetes an emptyDir with medium: Memory",
			"%s: %s free of %s, a container's default", directory, left, total);
	else
		doctor_ok(d, "memory", "%s: tmpfs, %s free of %s", directory, left, total);
	free(directory);
}

/* The last RemoveIPC= of one file: 1 yes, 0 no, before if there is none. */
static int remove_ipc_of(const char *path, int before)
{
	char line[256], *value;
	FILE *f = fopen(path, "re");

	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, "RemoveIPC=", 10) != 0)
			continue;
		value = line + 10;
		value[strcspn(value, " \t\r\n")] = '\0';
		before = strcasecmp(value, "no") != 0 && strcasecmp(value, "false") != 0 &&
			 strcasecmp(value, "off") != 0 && strcmp(value, "0") != 0;
	}
	if (f)
		fclose(f);
	return before;
}

static int remove_ipc(void)
{
	static const char *const drop_ins[] = { "/usr/lib/systemd/logind.conf.d/*.conf",
		"/run/systemd/logind.conf.d/*.conf", "/etc/systemd/logind.conf.d/*.conf" };
	int on = remove_ipc_of("/etc/systemd/logind.conf", 1);
	glob_t g;

	for (size_t i = 0; i < sizeof(drop_ins) / sizeof(drop_ins[0]); i++) {
		if (glob(drop_ins[i], 0, NULL, &g) != 0)
			continue;
		for (size_t k = 0; k < g.gl_pathc; k++)
			on = remove_ipc_of(g.gl_pathv[k], on);
		globfree(&g);
	}
	return on;
}

void doctor_remove_ipc(struct doctor *d, const struct sm_segment_info *info)
{
	if (strncmp(info->path, "/dev/shm/", 9) != 0 || access("/run/systemd/system", F_OK) != 0) {
		doctor_ok(d, "logind", "does not touch this file");
		return;
	}
	if (info->uid < FIRST_PERSON_UID || !remove_ipc()) {
		doctor_ok(d, "logind", "keeps the file when its owner logs out");
		return;
	}
	doctor_warn(d, "logind",
		"run the writers as a system user or service, set RemoveIPC=no in logind.conf, "
		"enable lingering (loginctl enable-linger), or make /run/shardmeter",
		"deletes the file when user %u has logged out: counts then start at 0", info->uid);
}
