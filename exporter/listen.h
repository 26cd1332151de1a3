/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listen.h - listening sockets: TCP, a path in the file system, or handed over by systemd.
 *
 * Depends on address.h. All are non-blocking and closed on exec.
 */
#ifndef EXPORTER_LISTEN_H
#define EXPORTER_LISTEN_H

#include <stddef.h>
#include <sys/types.h>

struct listener {
	int fd;
	int is_inherited;	/* systemd's: connections that wait there are the next process' */
	char text[200];		/* "127.0.0.1:10464", "unix:/run/shardmeter/http.sock" */
	/* The file to remove at the end, if it still is this one. */
	char path[120];
	dev_t dev;
	ino_t ino;
};

/* listen_check - is it of the form ADDRESS:PORT or unix:/PATH? 0 or -EINVAL. */
int listen_check(const char *address);

/*
 * listen_open - begin to listen. A socket file of a process that is gone is replaced, one of a live
 * process is not; the new file has `mode` from its first moment under that name.
 * 0, or -errno with a sentence in error.
 */
int listen_open(const char *address, mode_t mode, struct listener *ret_listener, char *error,
	size_t size);

/* listen_adopt - take over a descriptor. 0, or -errno with a sentence in error (not a listening
 * stream socket). */
int listen_adopt(int fd, struct listener *ret_listener, char *error, size_t size);

/* listen_close - and remove the file. */
void listen_close(struct listener *l);

#endif /* EXPORTER_LISTEN_H */
