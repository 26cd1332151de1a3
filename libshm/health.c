/* SPDX-License-Identifier: Apache-2.0 */
/*
 * health.c - the state of a program's components, as a gauge family of which the worst value over
 * all writers counts.
 */
#include <errno.h>

#include "metric.h"

#define COMPONENT_MAX 64

static const struct sm_family_options health_family = {
	.kind = SM_GAUGE,
	.name = "component_health",
	.help = "State of a component: 2 ok, 1 degraded, 0 critical; of all processes the worst.",
	.labels = { "component", "critical" },
	.normalise = SM_NORMALISE_NONE,
	.mode = SM_MODE_MIN,
};

int sm_health_set(struct sm *m, const char *component, enum sm_health state, int critical)
{
	struct sm_str values[2] = { { component, 0 }, SM_STR(critical ? "true" : "false") };
	struct handle *other;
	struct sm_family *f;
	struct sm_gauge *g;
	struct sm_diag diag;

	if (!m || !component || (unsigned)state > SM_HEALTH_OK)
		return -EINVAL;
	values[0].len = strlen(component);
	if (!values[0].len || values[0].len > COMPONENT_MAX)
		return -EINVAL;
	f = sm_declare(m, &health_family, &diag);
	if (diag.error || f->null)	/* null without an error: switched off */
		return diag.error;
	g = sm_gauge(f, values, 2);
	if (!handle_of(g)->family)
		return -EINVAL;
	if (!handle_place(handle_of(g)))
		return m->error ? m->error : -ENOSPC;
	sm_gauge_set(g, state);
	/* Its importance may have changed: one series a component, not both. */
	values[1] = SM_STR(critical ? "false" : "true");
	other = family_find(f, values, 2);
	if (other && handle_place(other))
		sm_gauge_unset(&other->pub->gauge);
	return 0;
}
