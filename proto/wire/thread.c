/* Time is kept by threads of our own that wait on a condition, not by nng's sleeping aios: version 1.5's expiry thread
 * spins through the last millisecond of every sleep, with the lock held that each submission needs. At a tick of 5 ms
 * that was measured to take a quarter of the service's processor time. */

#include "wire/thread.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <time.h>

bool thread_start(pthread_t *ret, void *(*body)(void *), void *arg)
{
	sigset_t all;
	sigset_t before;
	int rc;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(ret, NULL, body, arg);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc == 0;
}

void thread_condition_init(pthread_cond_t *c)
{
	pthread_condattr_t attr;
	int rc;

	(void)pthread_condattr_init(&attr);
	rc = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	assert(rc == 0);
	rc = pthread_cond_init(c, &attr);
	assert(rc == 0);
	(void)rc;
	(void)pthread_condattr_destroy(&attr);
}

bool thread_wait_until(pthread_cond_t *c, pthread_mutex_t *lock, uint64_t until_ms)
{
	struct timespec until = {.tv_sec = (time_t)(until_ms / 1000U), .tv_nsec = (long)(until_ms % 1000U) * 1000000L};

	return pthread_cond_timedwait(c, lock, &until) != ETIMEDOUT;
}
