/* SPDX-License-Identifier: Apache-2.0 */
/*
 * completion.c - the functions that shells need for completion.
 *
 * They know nothing themselves: candidates of shardmeter come from `shardmeter completion words`,
 * that is from the tables and the segment; options of shmtop and shardmeter-exporter from their
 * --help, which is made from their tables. So they need not change when a table does.
 */
#include <string.h>

#include "complete.h"

/* Readline cuts words at = and : too; candidates are whole words, so what stands before the cut is
 * taken off. */
static const char bash[] =
	"# bash completion of shardmeter, shmtop and shardmeter-exporter\n"
	"\n"
	"_shardmeter()\n"
	"{\n"
	"	local line=${COMP_LINE:0:COMP_POINT} cur=${COMP_WORDS[COMP_CWORD]}\n"
	"	local word head='' directive candidate\n"
	"\n"
	"	COMPREPLY=()\n"
	"	{\n"
	"		IFS=$'\\t' read -r directive word\n"
	"		[[ $cur == *[=:]?* ]] || head=${word%\"${word##*[=:]}\"}\n"
	"		while IFS=$'\\t' read -r candidate _; do\n"
	"			candidate=${candidate#\"$head\"}\n"
	"			[[ $cur == [\\\"\\']* ]] || printf -v candidate %q \"$candidate\"\n"
	"			COMPREPLY+=(\"$candidate\")\n"
	"		done\n"
	"	} < <(\"${COMP_WORDS[0]}\" completion words \"$line\" 2>/dev/null)\n"
	"	case $directive in\n"
	"	nospace) compopt -o nospace ;;\n"
	"	files) compopt -o default ;;\n"
	"	commands)\n"
	"		compopt -o default\n"
	"		while IFS= read -r candidate; do\n"
	"			COMPREPLY+=(\"$candidate\")\n"
	"		done < <(compgen -c -- \"$cur\")\n"
	"		;;\n"
	"	esac\n"
	"}\n"
	"\n"
	"_shardmeter_by_help()\n"
	"{\n"
	"	local cur=${COMP_WORDS[COMP_CWORD]} words\n"
	"\n"
	"	COMPREPLY=()\n"
	"	if [[ $cur == -* ]]; then\n"
	"		words=$(\"${COMP_WORDS[0]}\" --help 2>/dev/null |\n"
	"			sed -n 's/^ *\\(-[^-], *\\)\\{0,1\\}\\(--[a-z][a-z0-9.-]*\\).*/\\2/p')\n"
	"	elif [[ ${COMP_WORDS[0]} == *shmtop ]]; then\n"
	"		words=$(shardmeter ls 2>/dev/null)\n"
	"	else\n"
	"		compopt -o default\n"
	"		return\n"
	"	fi\n"
	"	while IFS= read -r words; do\n"
	"		COMPREPLY+=(\"$words\")\n"
	"	done < <(compgen -W \"$words\" -- \"$cur\")\n"
	"}\n"
	"\n"
	"complete -F _shardmeter shardmeter\n"
	"complete -F _shardmeter_by_help shmtop shardmeter-exporter\n";

static const char zsh[] =
	"#compdef shardmeter shmtop shardmeter-exporter\n"
	"# zsh completion of shardmeter, shmtop and shardmeter-exporter\n"
	"\n"
	"_shardmeter_words()\n"
	"{\n"
	"	local -a lines plain shown space\n"
	"	local directive line\n"
	"\n"
	"	lines=(\"${(@f)$(\"${words[1]}\" completion words \"$LBUFFER\" 2>/dev/null)}\")\n"
	"	directive=${lines[1]%%$'\\t'*}\n"
	"	for line in \"${(@)lines[2,-1]}\"; do\n"
	"		plain+=(\"${line%%$'\\t'*}\")\n"
	"		if [[ -n ${line#*$'\\t'} ]]; then\n"
	"			shown+=(\"${line%%$'\\t'*}  -- ${line#*$'\\t'}\")\n"
	"		else\n"
	"			shown+=(\"${line%%$'\\t'*}\")\n"
	"		fi\n"
	"	done\n"
	"	[[ $directive == nospace ]] && space=(-S '')\n"
	"	(( $#plain )) && compadd \"${space[@]}\" -l -d shown -a plain\n"
	"	[[ $directive == files ]] && _files\n"
	"	[[ $directive == commands ]] && _command_names -e\n"
	"}\n"
	"\n"
	"_shardmeter_by_help()\n"
	"{\n"
	"	local -a names\n"
	"\n"
	"	if [[ $PREFIX == -* ]]; then\n"
	"		names=(${(f)\"$(\"${words[1]}\" --help 2>/dev/null |\n"
	"			sed -n 's/^ *\\(-[^-], *\\)\\{0,1\\}\\(--[a-z][a-z0-9.-]*\\).*/\\2/p')\"})\n"
	"	elif [[ ${words[1]:t} == shmtop ]]; then\n"
	"		names=(${(f)\"$(shardmeter ls 2>/dev/null)\"})\n"
	"	else\n"
	"		_files\n"
	"		return\n"
	"	fi\n"
	"	compadd -a names\n"
	"}\n"
	"\n"
	"_shardmeter()\n"
	"{\n"
	"	if [[ ${words[1]:t} == shardmeter ]]; then\n"
	"		_shardmeter_words\n"
	"	else\n"
	"		_shardmeter_by_help\n"
	"	fi\n"
	"}\n"
	"\n"
	"# In a directory of fpath this file is the function itself; it may be sourced as well.\n"
	"if [[ ${funcstack[1]} == _shardmeter ]]; then\n"
	"	_shardmeter \"$@\"\n"
	"else\n"
	"	compdef _shardmeter shardmeter shmtop shardmeter-exporter\n"
	"fi\n";

static int run_completion(struct cli *c)
{
	if (c->nargs == 1 && strcmp(c->args[0], "bash") == 0)
		fputs(bash, stdout);
	else if (c->nargs == 1 && strcmp(c->args[0], "zsh") == 0)
		fputs(zsh, stdout);
	else if (c->nargs == 2 && strcmp(c->args[0], "words") == 0)
		complete_line(stdout, c->args[1]);
	else if (c->nargs == 0)
		return cli_fail(c, CLI_FAILED, "for which shell? bash or zsh");
	else
		return cli_fail(c, CLI_FAILED, "\"%s\" is none of bash, zsh", c->args[0]);
	return CLI_OK;
}

const struct cli_command cli_cmd_completion = { .name = "completion",
	.synopsis = "bash|zsh",
	.run = run_completion,
	.complete = CLI_COMPLETE_SHELL,
	.help = "Print what a shell needs to complete subcommands, options and series.",
	.text = "\"make install\" puts it where both shells look. Without that, in ~/.bashrc or "
		"~/.zshrc (there behind compinit):\n"
		"\n"
		"\tsource <(shardmeter completion bash)\n"
		"\tsource <(shardmeter completion zsh)\n"
		"\n"
		"Names, labels and values of series, writers and segments come from what is there "
		"at the moment. Options of shmtop and shardmeter-exporter are completed, too.",
	.options = (const struct cli_option[]){ { NULL, 0, NULL, NULL, NULL } } };
