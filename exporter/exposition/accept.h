/* SPDX-License-Identifier: Apache-2.0 */
/*
 * accept.h - which format and which coding a client wants: Accept and Accept-Encoding of RFC 9110.
 *
 * Depends on nothing. What is malformed in a header is passed over and the rest still counts: a
 * scrape must not fail for a list that Prometheus itself once sent with a weight of 2. A format
 * that the client named is preferred to one that only a wildcard allows, whatever the weights;
 * without any of ours the answer is text 0.0.4.
 */
#ifndef EXPOSITION_ACCEPT_H
#define EXPOSITION_ACCEPT_H

enum accept_format {
	ACCEPT_TEXT_0_0_4,
	ACCEPT_TEXT_1_0_0,
	ACCEPT_OPENMETRICS_1_0_0,
	ACCEPT_OPENMETRICS_0_0_1,	/* the same text; only the type says 0.0.1 */
	ACCEPT_PROTOBUF,
	ACCEPT_FORMATS
};

/* accept_format - header may be NULL. *ret_type is the Content-Type to answer with, static. */
enum accept_format accept_format(const char *header, const char **ret_type);

/* What Accept-Encoding says of gzip. */
enum accept_coding {
	ACCEPT_IDENTITY,
	ACCEPT_GZIP,
	ACCEPT_GZIP_ONLY		/* identity is refused */
};

enum accept_coding accept_coding(const char *header);

#endif /* EXPOSITION_ACCEPT_H */
