/* SPDX-License-Identifier: Apache-2.0 */
/* push_url.h - the URL of a group of a Pushgateway. */
#ifndef CLI_PUSH_URL_H
#define CLI_PUSH_URL_H

#include "series.h"

/*
 * push_url - BASE/metrics/job/JOB/LABEL/VALUE..., to free. Values that a path could not hold as they
 * are become LABEL@base64/..., as the Pushgateway wants it. labels: the label job comes first,
 * wherever it stands. *ret_shown is the same without a password, for messages; free it, too.
 * 0 or an exit code after a message.
 */
int push_url(const struct cli *c, const char *base, const struct cli_series *labels, char **ret_url,
	char **ret_shown);

#endif
