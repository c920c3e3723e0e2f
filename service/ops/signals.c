#include "ops/signals.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>

static void fill(sigset_t *set, int more)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	if (more != 0)
		sigaddset(set, more);
}

void signals_block(void)
{
	const struct sigaction ignore = {.sa_handler = SIG_IGN};
	const struct sigaction by_default = {.sa_handler = SIG_DFL};
	sigset_t set;
	int err;

	fill(&set, SIGHUP);
	err = pthread_sigmask(SIG_BLOCK, &set, NULL);
	assert(err == 0);
	/* A peer that has gone is an error of the write, not the end of the service. */
	err = sigaction(SIGPIPE, &ignore, NULL);
	assert(err == 0);
	/* Whoever started the service may have ignored it, which is inherited; then no child can be waited for. */
	err = sigaction(SIGCHLD, &by_default, NULL);
	assert(err == 0);
}

enum signal_request signals_wait(uint32_t timeout_ms)
{
	const struct timespec timeout = {.tv_sec = timeout_ms / 1000, .tv_nsec = (long)(timeout_ms % 1000) * 1000000};
	sigset_t set;
	int which;

	fill(&set, SIGHUP);
	/* A debugger that attaches interrupts it. */
	do
		which = sigtimedwait(&set, NULL, timeout_ms == 0 ? NULL : &timeout);
	while (which < 0 && errno == EINTR);
	if (which < 0 && errno == EAGAIN)
		return SIGNAL_NONE;
	assert(which > 0);
	return which == SIGHUP ? SIGNAL_RELOAD : SIGNAL_STOP;
}

void signals_end_at_once(void)
{
	const struct sigaction by_default = {.sa_handler = SIG_DFL};
	sigset_t set;
	int err;

	err = sigaction(SIGTERM, &by_default, NULL) | sigaction(SIGINT, &by_default, NULL);
	assert(err == 0);
	fill(&set, 0);
	err = pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	assert(err == 0);
}
