/* SPDX-License-Identifier: Apache-2.0 */
/* request.c - parameters of a request; see request.h. */
#include "exporter/request.h"

#include <string.h>

const char *request_next_param(const struct request *r, const char *key, size_t *position)
{
	while (*position < r->nparams) {
		const struct request_param *param = &r->param[(*position)++];

		if (strcmp(param->key, key) == 0)
			return param->value;
	}
	return NULL;
}

const char *request_param(const struct request *r, const char *key)
{
	size_t position = 0;

	return request_next_param(r, key, &position);
}
