/* SPDX-License-Identifier: Apache-2.0 */
/* probe.h - one plain HTTP GET with a deadline over everything. Depends on nothing. */
#ifndef CLI_PROBE_H
#define CLI_PROBE_H

struct probe {
	int status;	 /* HTTP status; 0: no answer, see error */
	int bad_address; /* the address is neither ADDRESS:PORT nor unix:/PATH */
	int foreign;	 /* something answered, and not in HTTP */
	char body[8192]; /* its beginning, NUL-terminated */
	char error[256];
};

/*
 * probe_http - GET path from address ("127.0.0.1:10464", "[::1]:10464", "localhost:10464",
 * "unix:/PATH"; no other names, so that no name server is asked). Returns 0 when there was an HTTP answer, else -1 with
 * ret_probe->error. Takes at most timeout_ms.
 */
int probe_http(const char *address, const char *path, unsigned timeout_ms, struct probe *ret_probe);

#endif
