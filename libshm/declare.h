/* SPDX-License-Identifier: Apache-2.0 */
/* declare.h - from a user's options to a checked definition with all defaults filled in. */
#ifndef SM_DECLARE_H
#define SM_DECLARE_H

#include "writer.h"

/* 0, or -EINVAL with what was wrong. The strings are still the user's. */
int def_from_options(const struct sm_family_options *user, struct family_def *d, struct sm_diag *diag);

/* Own copies of the strings. 0 or -ENOMEM. */
int def_copy(const struct family_def *def, struct family_def *ret);
void def_free(struct family_def *def);

/* Same family, and counted in the same way? (Cap and normaliser are the first declaration's.) */
bool def_equal(const struct family_def *a, const struct family_def *b);

#endif
