/* SPDX-License-Identifier: Apache-2.0 */
/*
 * steps.h - named points where a process may die. Empty in production. The `steps` build defines
 * sm_test_step(), by which tests/crash kills the process at each publish step in turn.
 */
#ifndef SM_STEPS_H
#define SM_STEPS_H

#ifdef SM_TEST_STEPS
void sm_test_step(const char *name);
#define SM_STEP(name) sm_test_step(name)
#else
#define SM_STEP(name) do { } while (0)
#endif

#endif
