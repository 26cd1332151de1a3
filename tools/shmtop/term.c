/* SPDX-License-Identifier: Apache-2.0 */
/*
 * term.c - the terminal.
 *
 * Signals. INT, TERM, HUP and QUIT set a flag; they, and those that ncurses handles (WINCH, TSTP),
 * are blocked except while we wait in ppoll(). So none of them interrupts ncurses, and none is
 * lost between a look at the flag and the wait. (With signalfd the resize would be lost: ncurses
 * learns of it by its own handler.)
 *
 * Fatal signals: ncurses does not clean up after SIGSEGV or SIGBUS, and the user would be left in
 * the alternate screen without echo. The handler only writes strings that were made before and
 * calls tcsetattr(), both allowed in a handler, and then lets the signal do its work.
 */
#define NCURSES_WIDECHAR 1
#include "term.h"

#include <curses.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>

#include "keys.h"

static SCREEN *screen;
static int in_screen;
static struct termios before;
static char leave[256];		/* what puts the screen back */
static size_t leave_len;
static volatile sig_atomic_t ending;
static sigset_t waiting_mask;
static int style_attr[TOP_STYLES];

static const int quiet_signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH };
static const int fatal_signals[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGSYS };

/* ---- signals -------------------------------------------------------------------------------- */

static void on_end(int number)
{
	ending = number;
}

static void on_fatal(int number)
{
	static const char text[] = "shmtop: ended by a fatal signal; the terminal is restored\n";
	ssize_t rc;

	if (in_screen) {
		rc = write(STDOUT_FILENO, leave, leave_len);
		tcsetattr(STDIN_FILENO, TCSANOW, &before);
		if (rc >= 0)
			rc = write(STDERR_FILENO, text, sizeof(text) - 1);
		(void)rc;
	}
	/* SA_RESETHAND: this time it does what it does. */
	raise(number);
}

void top_term_catch(void)
{
	struct sigaction sa = { .sa_handler = on_end };
	sigset_t block;
	size_t i;

	sigemptyset(&block);
	for (i = 0; i < sizeof(quiet_signals) / sizeof(quiet_signals[0]); i++)
		sigaddset(&block, quiet_signals[i]);
	sigprocmask(SIG_BLOCK, &block, &waiting_mask);
	for (i = 0; i < sizeof(quiet_signals) / sizeof(quiet_signals[0]); i++)
		sigdelset(&waiting_mask, quiet_signals[i]);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
	sigaction(SIGQUIT, &sa, NULL);
}

static void catch_fatal(void)
{
	/* Static: a stack that overflowed cannot run a handler. */
	static char stack[64 * 1024];
	stack_t ss = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction sa = { .sa_handler = on_fatal,
				.sa_flags = (int)(SA_RESETHAND | SA_NODEFER | SA_ONSTACK) };
	size_t i;

	sigaltstack(&ss, NULL);
	for (i = 0; i < sizeof(fatal_signals) / sizeof(fatal_signals[0]); i++)
		sigaction(fatal_signals[i], &sa, NULL);
}

int top_term_signal(void)
{
	return ending;
}

void top_term_die(void)
{
	signal(ending, SIG_DFL);
	raise(ending);
	sigprocmask(SIG_SETMASK, &waiting_mask, NULL);
}

void top_term_wait(uint64_t timeout_ns)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	struct timespec t = { (time_t)(timeout_ns / 1000000000u),
			      (long)(timeout_ns % 1000000000u) };

	if (ending)
		return;
	ppoll(&input, 1, timeout_ns == UINT64_MAX ? NULL : &t, &waiting_mask);
}

/* ---- open and close ------------------------------------------------------------------------- */

int top_term_usable(void)
{
	const char *term = getenv("TERM");

	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && term && term[0] &&
	       strcmp(term, "dumb") != 0;
}

/* Append a capability without its padding ("$<5>"). */
static void leave_with(const char *name)
{
	const char *s = tigetstr(name);

	if (!s || s == (const char *)-1)
		return;
	while (*s && leave_len < sizeof(leave)) {
		if (s[0] == '$' && s[1] == '<' && strchr(s, '>'))
			s = strchr(s, '>') + 1;
		else
			leave[leave_len++] = *s++;
	}
}

static void choose_styles(int color)
{
	const char *no_color = getenv("NO_COLOR");
	int use = color > 0 || (!color && !(no_color && no_color[0]));
	short back = -1;

	style_attr[TOP_DIM] = (int)A_DIM;
	style_attr[TOP_BOLD] = style_attr[TOP_TITLE] = style_attr[TOP_KEY] = (int)A_BOLD;
	style_attr[TOP_HEADING] = (int)A_UNDERLINE;
	style_attr[TOP_SORTED] = (int)(A_UNDERLINE | A_BOLD);
	style_attr[TOP_WARN] = style_attr[TOP_BAD] = (int)A_BOLD;
	if (!use || !has_colors())
		return;
	start_color();
	if (use_default_colors() == ERR)
		back = COLOR_BLACK;
	init_pair(1, COLOR_GREEN, back);
	init_pair(2, COLOR_YELLOW, back);
	init_pair(3, COLOR_RED, back);
	init_pair(4, COLOR_CYAN, back);
	style_attr[TOP_GOOD] = COLOR_PAIR(1);
	style_attr[TOP_WARN] = COLOR_PAIR(2);
	style_attr[TOP_BAD] = COLOR_PAIR(3) | (int)A_BOLD;
	style_attr[TOP_SPARK] = COLOR_PAIR(4);
	style_attr[TOP_KEY] = COLOR_PAIR(4) | (int)A_BOLD;
}

int top_term_open(int color, char *error, size_t size)
{
	const char *term = getenv("TERM");

	if (tcgetattr(STDIN_FILENO, &before)) {
		snprintf(error, size, "standard input is not a terminal");
		return -ENOTTY;
	}
	/* initscr() would end the program on an unknown TERM. */
	screen = newterm(NULL, stdout, stdin);
	if (!screen) {
		snprintf(error, size,
			 "the terminal type TERM=%.40s is not known here: set TERM=xterm-256color, "
			 "install its terminfo entry, or use --once",
			 term ? term : "");
		return -ENOTTY;
	}
	set_term(screen);
	in_screen = 1;
	leave_with("sgr0");
	leave_with("rmkx");
	leave_with("cnorm");
	leave_with("rmcup");
	catch_fatal();
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(25);
	intrflush(stdscr, FALSE);
	choose_styles(color);
	return 0;
}

void top_term_close(void)
{
	if (!in_screen)
		return;
	endwin();
	in_screen = 0;
	/* ncurses restores what it saved; this also undoes what others did meanwhile. */
	tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

/* ---- screen --------------------------------------------------------------------------------- */

void top_term_size(int *ret_width, int *ret_height)
{
	*ret_width = COLS;
	*ret_height = LINES;
}

static void send_cell(int y, int x, const struct top_cell *cell)
{
	wchar_t text[2 + TOP_CELL_MARKS] = { (wchar_t)cell->ch };
	int attr = style_attr[cell->style & ~TOP_SELECTED];
	cchar_t wide;
	int i;

	for (i = 0; i < TOP_CELL_MARKS; i++)
		text[1 + i] = (wchar_t)cell->marks[i];
	/* Reverse video shows the colour as background: the row under the cursor goes without. */
	if (cell->style & TOP_SELECTED)
		attr = (int)A_REVERSE;
	setcchar(&wide, text, (attr_t)(attr & ~(int)A_COLOR), (short)PAIR_NUMBER(attr), NULL);
	mvadd_wch(y, x, &wide);
}

void top_term_flush(const struct top_cells *c, int all)
{
	const struct top_cell *row, *cell;
	int x, y;

	if (all)
		clear();
	else
		erase();
	for (y = 0; y < c->height && y < LINES; y++) {
		row = &c->cell[(size_t)y * (size_t)c->width];
		for (x = 0; x < c->width && x < COLS; x++) {
			cell = &row[x];
			if (cell->ch && (cell->ch != ' ' || cell->style))
				send_cell(y, x, cell);
		}
	}
	move(c->cursor_y, c->cursor_x);
	refresh();
}

/* ---- keys ----------------------------------------------------------------------------------- */

static const struct {
	int curses, code;
} function_keys[] = {
	{ KEY_UP, TOP_CODE_UP },	  { KEY_DOWN, TOP_CODE_DOWN },
	{ KEY_LEFT, TOP_CODE_LEFT },	  { KEY_RIGHT, TOP_CODE_RIGHT },
	{ KEY_PPAGE, TOP_CODE_PAGE_UP },  { KEY_NPAGE, TOP_CODE_PAGE_DOWN },
	{ KEY_HOME, TOP_CODE_HOME },	  { KEY_END, TOP_CODE_END },
	{ KEY_ENTER, TOP_ENTER },	  { KEY_BACKSPACE, TOP_CODE_BACKSPACE },
	{ KEY_F(1), TOP_CODE_F1 },	  { KEY_F(4), TOP_CODE_F4 },
	{ KEY_F(6), TOP_CODE_F6 },	  { KEY_RESIZE, TOP_TERM_RESIZE },
	{ KEY_BTAB, TOP_CODE_BACKTAB },
};

static int click_x, click_y;

void top_term_mouse(int on)
{
	mousemask(on ? BUTTON1_CLICKED | BUTTON1_PRESSED | BUTTON4_PRESSED | BUTTON5_PRESSED : 0,
		  NULL);
	mouseinterval(0);
}

void top_term_clicked(int *ret_x, int *ret_y)
{
	*ret_x = click_x;
	*ret_y = click_y;
}

static int mouse_key(void)
{
	MEVENT event;

	if (getmouse(&event) != OK)
		return 0;
	if (event.bstate & BUTTON4_PRESSED)
		return TOP_CODE_UP;
	if (event.bstate & BUTTON5_PRESSED)
		return TOP_CODE_DOWN;
	click_x = event.x;
	click_y = event.y;
	return event.bstate & (BUTTON1_PRESSED | BUTTON1_CLICKED) ? TOP_TERM_CLICK : 0;
}

int top_term_key(void)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	wint_t c;
	size_t i;
	int rc = get_wch(&c);

	if (rc == ERR) {
		/* Readable and yet nothing there: the terminal is gone. Else we would spin. */
		if (poll(&input, 1, 0) > 0 && input.revents & (POLLHUP | POLLERR | POLLNVAL))
			return TOP_TERM_GONE;
		return TOP_TERM_NONE;
	}
	if (rc != KEY_CODE_YES) {
		if (c == 127 || c == 8)
			return TOP_CODE_BACKSPACE;
		if (c == '\t')
			return TOP_CODE_TAB;
		return c == '\n' ? TOP_ENTER : (int)c;
	}
	if (c == KEY_MOUSE)
		return mouse_key();
	for (i = 0; i < sizeof(function_keys) / sizeof(function_keys[0]); i++)
		if ((int)c == function_keys[i].curses)
			return function_keys[i].code;
	return 0;
}
