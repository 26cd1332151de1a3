/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - the shardmeter command; everything is in commands.c and the tables it lists. */
#include "cli.h"

int main(int argc, char **argv)
{
	return cli_main(argc, argv);
}
