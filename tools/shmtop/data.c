/* SPDX-License-Identifier: Apache-2.0 */
/*
 * data.c - all that is known after a sample.
 */
#include "data.h"

#include <math.h>
#include <string.h>

void top_data_init(struct top_data *d, unsigned escape)
{
	memset(d, 0, sizeof(*d));
	top_model_init(&d->model, escape);
	d->slows.escape = escape;
	d->ops.errors = d->ops.usual_errors = NAN;
}

void top_data_release(struct top_data *d)
{
	top_ops_release(&d->ops);
	top_parts_release(&d->parts);
	top_slows_release(&d->slows);
	top_model_release(&d->model);
}
