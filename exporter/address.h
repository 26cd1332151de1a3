/* SPDX-License-Identifier: Apache-2.0 */
/*
 * address.h - listen addresses and the host names that requests may use. Depends on nothing.
 */
#ifndef EXPORTER_ADDRESS_H
#define EXPORTER_ADDRESS_H

#include <stddef.h>

/*
 * address_listen - a listening TCP socket for "127.0.0.1:10464", "localhost:10464", "[::1]:10464",
 * or ":10464" (every address). Returns the descriptor, or -errno with a sentence in error.
 */
int address_listen(const char *address, char *error, size_t size);

/* address_check - is it of that form? Names are not looked up. 0 or -EINVAL. */
int address_check(const char *address);

/* address_of - "127.0.0.1:10464" of a listening socket. */
void address_of(int fd, char *ret_text, size_t size);

/* address_host - the host part of an address or Host header, without port and brackets, in lower
 * case and without a final dot. 0, or -EINVAL if it is not of that form. */
int address_host(const char *text, char *ret_host, size_t size);

/*
 * address_allowed - may a request use this Host header? Allowed are localhost, IP addresses, and the
 * names in list (separated by commas; * is all). A web page that points a name of its own at this
 * machine would otherwise read from here; with an address there is no such name.
 */
int address_allowed(const char *header, const char *list);

#endif /* EXPORTER_ADDRESS_H */
