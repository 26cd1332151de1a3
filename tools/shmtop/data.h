/* SPDX-License-Identifier: Apache-2.0 */
/*
 * data.h - all that is known after a sample: what views arrange and draw.
 *
 * Depends on model.h, ops.h, parts.h, slow.h.
 */
#ifndef TOP_DATA_H
#define TOP_DATA_H

#include "model.h"
#include "ops.h"
#include "parts.h"
#include "slow.h"

struct top_data {
	struct top_model model;
	struct top_ops ops;
	struct top_parts parts;
	struct top_slows slows;
};

void top_data_init(struct top_data *d, unsigned escape);
void top_data_release(struct top_data *d);

#endif
