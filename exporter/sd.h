/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sd.h - what systemd and a service tell each other: sockets, readiness, the watchdog.
 *
 * Depends on nothing: the protocol is three environment variables and datagrams of text, promised to
 * stay as they are (sd_notify(3), sd_listen_fds(3)), which is less than a library to depend on.
 * Without systemd, all of it does nothing. Thread: sd_notify() is safe, the rest before threads.
 */
#ifndef EXPORTER_SD_H
#define EXPORTER_SD_H

#include <stdint.h>

#define SD_FIRST_FD 3

/* sd_listen_fds - how many sockets were handed over, from SD_FIRST_FD on; 0 if they are another
 * process'. The environment is cleared, so that children do not take them for theirs. */
int sd_listen_fds(void);

/* sd_watchdog_ms - the time within which a sign of life is expected; 0: none is. */
uint64_t sd_watchdog_ms(void);

/* sd_notify - tell the service manager: "READY=1", "STOPPING=1", ... 0, or -errno. */
int sd_notify(const char *state);

/* sd_notify_reloading - with the time that Type=notify-reload wants to see. */
void sd_notify_reloading(void);

#endif /* EXPORTER_SD_H */
