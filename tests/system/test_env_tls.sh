#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# test_env_tls.sh - dlopen() of the library where static thread-local storage is scarce. The library
# uses initial-exec storage, which a loaded object gets from a small surplus. Here the program has
# 512 bytes of its own, and two other objects that were loaded before took 512 bytes of the surplus.

set -eu
build=${BUILD:-build/release}
source=${SRCDIR:-.}
scratch=$(mktemp -d /dev/shm/shardmeter-test-XXXXXX)
trap 'rm -rf "$scratch"' EXIT

cat >"$scratch/taker.c" <<'END'
static __thread char taken[256] __attribute__((tls_model("initial-exec")));
char *taker(void);
char *taker(void)
{
	taken[0]++;
	return taken;
}
END
cat >"$scratch/main.c" <<'END'
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <shardmeter.h>

static __thread char own[512] = "own";

static void *find(void *so, const char *name)
{
	void *p = dlsym(so, name);

	if (!p)
		fprintf(stderr, "%s\n", dlerror());
	return p;
}

#define FIND(f) __typeof__(&f) f##_ = (__typeof__(&f))find(so, #f)

struct job {
	void (*add)(struct sm_counter *, uint64_t);
	struct sm_counter *counter;
};

static void *count(void *arg)
{
	struct job *job = arg;

	own[0]++;
	job->add(job->counter, 1);
	return NULL;
}

int main(int argc, char **argv)
{
	struct sm_options o = { .segment = argv[argc - 1], .writer = "w" };
	struct sm_diag diag;
	pthread_t thread;
	void *so = NULL;
	int i;

	/* A thread that was there before must find the library's storage, too. */
	for (i = 1; i < argc - 1; i++) {
		so = dlopen(argv[i], RTLD_NOW);
		if (!so) {
			fprintf(stderr, "%s\n", dlerror());
			return 1;
		}
		if (i < argc - 2)
			(*((char *(*)(void))find(so, "taker"))())++;
	}
	FIND(sm_open);
	FIND(sm_declare);
	FIND(sm_counter);
	FIND(sm_counter_add_fn);
	struct sm *m = sm_open_(&o, &diag);
	if (diag.error) {
		fprintf(stderr, "%s\n", diag.message);
		return 1;
	}
	struct sm_family *f = sm_declare_(m, &(struct sm_family_options){
		.kind = SM_COUNTER, .name = "c_total" }, &diag);
	struct job job = { sm_counter_add_fn_, sm_counter_(f, NULL, 0) };
	count(&job);
	pthread_create(&thread, NULL, count, &job);
	pthread_join(thread, NULL);
	return strcmp(own + 1, "wn");
}
END
cc -shared -fPIC -o "$scratch/taker1.so" "$scratch/taker.c"
cc -shared -fPIC -o "$scratch/taker2.so" "$scratch/taker.c"
cc -Wall -pthread -I"$source/include" -o "$scratch/main" "$scratch/main.c" -ldl

used=$(readelf -lW "$build/libshardmeter.so.0" | awk '$1 == "TLS" { print $6 }')
used=$((used))
echo "the library has $used bytes of thread-local storage"
[ "$used" -le 128 ] || {
	echo "that is more than the 128 bytes that it allows itself"
	exit 1
}
timeout 60 "$scratch/main" "$scratch/taker1.so" "$scratch/taker2.so" "$build/libshardmeter.so.0" "$scratch/segment"
total=$("$build/shardmeter" -S "$scratch/segment" dump 2>/dev/null | awk '$1 == "c_total" { print $2 }')
[ "$total" = 2 ] || {
	echo "c_total is \"$total\", not 2"
	"$build/shardmeter" -S "$scratch/segment" dump || true
	exit 1
}
