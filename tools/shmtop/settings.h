/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings.h - what key W keeps for the next start: $XDG_CONFIG_HOME/shardmeter/shmtop.conf, else
 * ~/.config/shardmeter/shmtop.conf.
 *
 * Lines of NAME=VALUE, documented in shmtop(1). Only the interactive screen reads them, so that
 * what goes to programs does not depend on them. What is not understood is left alone.
 *
 * Depends on view.h.
 */
#ifndef TOP_SETTINGS_H
#define TOP_SETTINGS_H

#include "view.h"

/* Apply the text of a settings file; command-line options that were given win. */
void top_settings_apply(struct top_view *v, const char *text, const struct top_options *o);
void top_settings_text(const struct top_view *v, struct buf *b);
/* 0 or -errno; a file that is not there is fine. */
int top_settings_load(struct top_view *v, const struct top_options *o);
/* 0 or -errno; the path comes back either way, "" if there is no home. */
int top_settings_save(const struct top_view *v, char *ret_path, size_t size);

#endif
