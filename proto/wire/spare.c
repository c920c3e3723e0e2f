/* Version 1.5 of nng has no setting for the number of its task threads. So each one that is not wanted is given a
 * callback that does not return.
 *
 * How many there are differs with nng's version and how it was built, and to keep all of them would be the end of every
 * connection: so they are counted, by the name that each gives itself when it first runs. One that has not yet is left
 * alone.
 *
 * Why fewer are faster. What a call left in one processor's cache, and the locks that it took, the next step of it finds
 * there, unless another thread takes that; and a thread that is busy need not be woken: what came meanwhile waits in nng's
 * queue. Measured on two processors with 64 calls in flight: 2.8 us of the service's time a call by one thread, 5.0 by
 * four. */

#include "wire/spare.h"

#include <assert.h>
#include <dirent.h>
#include <nng/nng.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "wire/thread.h"
#include "wire/ticker.h"

/* As many as nng starts at most, unless it was built otherwise. */
#define NNG_THREADS 16L

/* For the threads that nng has just started to run for the first time. */
#define START_MS 100U
#define LOOK_NS	 1000000L

#define TASK_THREAD "nng:task\n"

struct wire_spare {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool is_over;
	unsigned count;
	nng_aio *aios[];
};

static bool is_task_thread(const char *tid)
{
	char path[64];
	char name[32] = "";
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/self/task/%.20s/comm", tid);
	f = fopen(path, "re");
	if (f == NULL)
		return false;
	if (fgets(name, sizeof(name), f) == NULL)
		name[0] = 0;
	(void)fclose(f);
	return strcmp(name, TASK_THREAD) == 0;
}

static unsigned count_threads(void)
{
	DIR *tasks = opendir("/proc/self/task");
	const struct dirent *entry;
	unsigned count = 0;

	if (tasks == NULL)
		return 0;
	while ((entry = readdir(tasks)) != NULL)
		if (entry->d_name[0] != '.' && is_task_thread(entry->d_name))
			count++;
	(void)closedir(tasks);
	return count;
}

static unsigned await_threads(void)
{
	const uint64_t until_ms = wire_now_ms() + START_MS;
	const struct timespec nap = {.tv_nsec = LOOK_NS};
	long expected = 2 * sysconf(_SC_NPROCESSORS_ONLN);
	unsigned count = count_threads();

	if (expected > NNG_THREADS)
		expected = NNG_THREADS;
	while ((long)count < expected && wire_now_ms() < until_ms) {
		(void)nanosleep(&nap, NULL);
		count = count_threads();
	}
	return count;
}

static void stand_by(void *arg)
{
	wire_spare *s = arg;

	pthread_mutex_lock(&s->lock);
	while (!s->is_over)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

static bool spare_one(wire_spare *s)
{
	nng_aio *aio;

	if (nng_aio_alloc(&aio, stand_by, s) != 0)
		return false;
	s->aios[s->count++] = aio;
	if (nng_aio_begin(aio))
		nng_aio_finish(aio, 0);
	return true;
}

wire_spare *wire_spare_threads(unsigned keep)
{
	unsigned surplus;
	unsigned count;
	nng_aio *first;
	wire_spare *s;

	assert(keep > 0);

	/* Starts nng. */
	if (nng_aio_alloc(&first, NULL, NULL) != 0)
		return NULL;
	nng_aio_free(first);
	count = await_threads();
	if (count <= keep)
		return NULL;
	surplus = count - keep;
	s = calloc(1, sizeof(*s) + surplus * sizeof(s->aios[0]));
	if (s == NULL)
		return NULL;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	while (s->count < surplus && spare_one(s))
		;
	return s;
}

void wire_spare_release(wire_spare **held)
{
	wire_spare *s = *held;

	if (s == NULL)
		return;
	*held = NULL;
	pthread_mutex_lock(&s->lock);
	s->is_over = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	for (unsigned i = 0; i < s->count; i++) {
		nng_aio_wait(s->aios[i]);
		nng_aio_free(s->aios[i]);
	}
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
